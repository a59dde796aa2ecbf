//! Makes meters and samples from the table of [`names`](super::names).

use prometheus::{
    CounterVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry,
    core::Collector,
    proto::{Counter, Gauge, LabelPair, Metric as Sample, MetricFamily, MetricType},
};

use super::names::{Kind, Metric};

/// Counters of whole things.
pub(super) fn counters(registry: &Registry, metric: &Metric) -> IntCounterVec {
    let made = IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels);
    register(registry, made)
}

/// Counters of what has fractions.
pub(super) fn amounts(registry: &Registry, metric: &Metric) -> CounterVec {
    register(registry, CounterVec::new(Opts::new(metric.name, metric.help), metric.labels))
}

pub(super) fn histograms(registry: &Registry, metric: &Metric) -> HistogramVec {
    let buckets = match metric.kind {
        Kind::Histogram(buckets) => buckets.to_vec(),
        Kind::Counter | Kind::Gauge => Vec::new(),
    };
    let options = HistogramOpts::new(metric.name, metric.help).buckets(buckets);
    register(registry, HistogramVec::new(options, metric.labels))
}

fn register<M: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<M>) -> M {
    let made = made.expect("the table holds sound names");
    registry.register(Box::new(made.clone())).expect("each name stands in the table once");
    made
}

/// One metric with what was just read.
pub(super) fn family(metric: &Metric, samples: impl IntoIterator<Item = (Vec<String>, f64)>) -> MetricFamily {
    let sample = |(values, value): (Vec<String>, f64)| {
        debug_assert_eq!(values.len(), metric.labels.len(), "{}", metric.name);
        let mut labels: Vec<LabelPair> = metric.labels.iter().zip(values).map(label).collect();
        labels.sort_by(|a, b| a.name().cmp(b.name()));
        let mut sample = Sample::from_label(labels);
        if metric.kind == Kind::Counter {
            let mut counter = Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            sample.set_gauge(gauge);
        }
        sample
    };
    let kind = if metric.kind == Kind::Counter { MetricType::COUNTER } else { MetricType::GAUGE };
    let mut family = MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(kind);
    family.set_metric(samples.into_iter().map(sample).collect());
    family
}

fn label((name, value): (&&str, String)) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name((*name).to_owned());
    label.set_value(value);
    label
}
