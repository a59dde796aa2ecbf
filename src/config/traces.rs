//! `[traces]`: where OpenTelemetry traces go. Nowhere, unless somebody says so (C-23). The variables are those
//! of the OpenTelemetry specification, with their meaning there.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{
    Secret,
    typed::{ConfigError, Knob, Typed},
};

const ENDPOINT: &str = "traces.endpoint";
const URL: &str = "traces.url";
const HEADERS: &str = "traces.headers";
const PROTOCOL: &str = "traces.protocol";
const TIMEOUT_MS: &str = "traces.timeout_ms";
const DELAY_MS: &str = "traces.delay_ms";
const QUEUE: &str = "traces.queue";
const SERVICE_NAME: &str = "traces.service_name";
const RESOURCE: &str = "traces.resource_attributes";
const SAMPLER: &str = "traces.sampler";
const RATIO: &str = "traces.sample_ratio";
const DISABLED: &str = "traces.disabled";
const IDENTITIES: &str = "traces.identities";
const PROPAGATE: &str = "traces.propagate";

pub(super) const KNOBS: &[Knob] = &[
    Knob::new(ENDPOINT, &["OTEL_EXPORTER_OTLP_ENDPOINT"], None),
    Knob::new(URL, &["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], None),
    Knob::secret(HEADERS, &["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]).ranked(),
    Knob::new(
        PROTOCOL,
        &["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"],
        Some("http/protobuf"),
    )
    .ranked(),
    Knob::new(
        TIMEOUT_MS,
        &["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"],
        Some("10000"),
    )
    .ranked(),
    Knob::new(DELAY_MS, &["OTEL_BSP_SCHEDULE_DELAY"], Some("5000")),
    Knob::new(QUEUE, &[], Some("2048")),
    Knob::new(SERVICE_NAME, &["OTEL_SERVICE_NAME"], Some("pointsman")),
    Knob::new(RESOURCE, &["OTEL_RESOURCE_ATTRIBUTES"], Some("")),
    Knob::new(SAMPLER, &["OTEL_TRACES_SAMPLER"], Some("parentbased_traceidratio")),
    Knob::new(RATIO, &["OTEL_TRACES_SAMPLER_ARG"], Some("1")),
    Knob::new(DISABLED, &["OTEL_SDK_DISABLED"], Some("false")),
    Knob::new(IDENTITIES, &[], Some("false")),
    Knob::new(PROPAGATE, &[], Some("false")),
];

/// What the path of a general endpoint is followed by.
const PATH: &str = "/v1/traces";

/// What becomes of requests that nobody decided about before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Whether a caller's own decision is followed.
    pub follows_caller: bool,
    /// The share that is traced otherwise, from 0 to 1.
    pub ratio: f64,
}

/// Where traces go.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSettings {
    /// Where they are sent; none when nothing is traced.
    pub url: Option<Url>,
    /// Names and values of headers that go along.
    pub headers: Vec<(String, Secret)>,
    /// How long one delivery may take.
    pub timeout: Duration,
    /// How long a trace waits for company.
    pub delay: Duration,
    /// The most requests that wait to be sent.
    pub queue: usize,
    /// What we are called.
    pub service_name: String,
    /// What else is said of this process.
    pub resource: Vec<(String, String)>,
    /// Which requests are traced.
    pub sampler: Sampler,
    /// Whether traces say who asked.
    pub identities: bool,
    /// Whether upstreams are told the trace.
    pub propagate: bool,
}

pub(super) fn meant(typed: &Typed) -> Result<TraceSettings, ConfigError> {
    typed.choice(PROTOCOL, &[("http/protobuf", ())])?;
    let is_set = |key: &&'static str| typed.get(key).is_some_and(|text| !text.trim().is_empty());
    let key = [URL, ENDPOINT].into_iter().find(is_set);
    let url = key.map(|key| typed.read(key, |text| address(text, key == ENDPOINT))).transpose()?;
    let (disabled, ratio) = (typed.truth(DISABLED)?, typed.read(RATIO, ratio)?);
    let sampler = typed.choice(
        SAMPLER,
        &[
            ("parentbased_traceidratio", Sampler { follows_caller: true, ratio }),
            ("parentbased_always_on", Sampler { follows_caller: true, ratio: 1.0 }),
            ("parentbased_always_off", Sampler { follows_caller: true, ratio: 0.0 }),
            ("traceidratio", Sampler { follows_caller: false, ratio }),
            ("always_on", Sampler { follows_caller: false, ratio: 1.0 }),
            ("always_off", Sampler { follows_caller: false, ratio: 0.0 }),
        ],
    )?;
    let headers = pairs(typed.get(HEADERS).unwrap_or_default())
        .and_then(|pairs| pairs.into_iter().map(header).collect::<Option<Vec<_>>>());
    Ok(TraceSettings {
        url: url.filter(|_| !disabled),
        // Without the text, which is a secret.
        headers: headers.ok_or_else(|| {
            typed.wrong(HEADERS, "must be name=value pairs, separated by commas".to_owned())
        })?,
        timeout: Duration::from_millis(typed.number(TIMEOUT_MS, 1, 600_000)?),
        delay: Duration::from_millis(typed.number(DELAY_MS, 1, 600_000)?),
        queue: typed.number(QUEUE, 1, 1_000_000)?,
        service_name: typed.get(SERVICE_NAME).unwrap_or_default().trim().to_owned(),
        resource: typed
            .read(RESOURCE, |text| pairs(text).ok_or("must be name=value pairs, separated by commas"))?,
        sampler,
        identities: typed.truth(IDENTITIES)?,
        propagate: typed.truth(PROPAGATE)?,
    })
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| format!("must be a share from 0 to 1, not `{text}`"))
}

/// `name=value` pairs separated by commas, percent-encoded where they hold one.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let plain = |part: &str| percent_decode_str(part.trim()).decode_utf8().ok().map(String::from);
    let pair = |item: &str| {
        let (name, value) = item.split_once('=')?;
        Some((plain(name).filter(|name| !name.is_empty())?, plain(value)?))
    };
    text.split(',').filter(|item| !item.trim().is_empty()).map(pair).collect()
}

fn header((name, value): (String, String)) -> Option<(String, Secret)> {
    let sound = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    sound.then(|| (name.to_ascii_lowercase(), Secret::new(value)))
}

fn address(text: &str, is_general: bool) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|_| "must be a url".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must not hold a user name, a password or a fragment".to_owned());
    }
    match url.scheme() {
        "https" => {}
        "http" if is_near(&url) => {}
        "http" => {
            return Err("must begin with https://, save for this machine and private networks".to_owned());
        }
        _ => return Err("must begin with https:// or http://".to_owned()),
    }
    if is_general {
        if url.query().is_some() {
            return Err("must not hold a query".to_owned());
        }
        let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url)
}

/// Whether a host is spelled as one of this machine or of a private network, where collectors live.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unique_local(),
        Some(Host::Domain(name)) => {
            let ends = [".local", ".internal", ".localhost", ".lan", ".svc", ".home.arpa"];
            !name.contains('.') || ends.iter().any(|end| name.ends_with(end))
        }
        None => false,
    }
}
