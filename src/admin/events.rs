//! `GET /api/v1/events`: what happens, as server-sent events: a snapshot, then changes.

use std::{convert::Infallible, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data},
};
use futures_util::stream::{self, Stream};
use tokio::time::{Instant, timeout_at};

use super::{
    Admin, Answer,
    error::{Code, FlawCode, Problem},
    query::Query,
};
use crate::events::{Ended, Listener, NotNow, Topic};

/// How long it may be silent; then a comment says that the connection is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How soon clients come back when the connection ends, in milliseconds.
const COME_BACK: &str = "retry: 2000\n\n";

impl From<NotNow> for Problem {
    fn from(why: NotNow) -> Self {
        Self::new(Code::Overloaded, why.to_string())
    }
}

/// `GET /api/v1/events?topics=actors,requests,quotas,alerts`.
pub(super) async fn listen(admin: Data<Admin>, request: HttpRequest, mut query: Query) -> Answer {
    let topics = query.take_text("topics");
    query.finish()?;
    let topics = topics.map_or_else(|| Ok(Topic::ALL.to_vec()), |text| read(&text))?;
    let last = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let listener = admin.events.listen(topics, last).await?;
    let answer = HttpResponse::Ok()
        .content_type("text/event-stream")
        // Proxies that collect answers would hold each event back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(told(listener));
    Ok(answer)
}

fn read(text: &str) -> Result<Vec<Topic>, Problem> {
    let topic = |name: &str| {
        let found = Topic::ALL.into_iter().find(|topic| topic.name() == name.trim());
        found.ok_or_else(|| {
            let names = Topic::ALL.map(Topic::name).join(", ");
            Problem::field(
                "topics",
                FlawCode::NotOneOf,
                format!("must be some of {names}, separated by commas"),
            )
        })
    };
    text.split(',').map(topic).collect()
}

/// The bytes of the stream. It ends behind the event that says why.
fn told(listener: Listener) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let first = stream::iter([Ok(Bytes::from_static(COME_BACK.as_bytes()))]);
    let events = stream::unfold(Some(listener), |listener| async {
        let mut listener = listener?;
        match timeout_at(Instant::now() + HEARTBEAT, listener.next()).await {
            Ok(Ok(event)) => {
                let text = format!("id: {}\nevent: {}\ndata: {}\n\n", event.id, event.name, event.data);
                Some((Ok(text.into()), Some(listener)))
            }
            Ok(Err(ended)) => Some((Ok(farewell(ended)), None)),
            Err(_) => Some((Ok(Bytes::from_static(b": alive\n\n")), Some(listener))),
        }
    });
    futures_util::StreamExt::chain(first, events)
}

/// The last event: why there are no more.
fn farewell(ended: Ended) -> Bytes {
    Bytes::from_static(match ended {
        Ended::TooSlow => b"event: end\ndata: {\"reason\":\"too_slow\"}\n\n",
        Ended::Stopping => b"event: end\ndata: {\"reason\":\"stopping\"}\n\n",
    })
}
