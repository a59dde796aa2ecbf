//! The same requests under the names of OpenTelemetry's conventions for generative AI.
//!
//! `gen_ai.provider.name` is there the API that is spoken, not who answers: the latter has its own metrics.
//! Counting tokens is no operation of a model, and not counted.

use std::{borrow::Cow, sync::Arc, time::Duration};

use prometheus::{Histogram, HistogramVec, Registry};
use protocol::{Format, Operation};

use super::{
    few::{Few, Named, OTHER},
    make,
    meters::MOST_MODELS,
    names,
};
use crate::journal::record::{Metering, Record};

pub(super) struct GenAi {
    families: Families,
    by_operation: Few<(&'static str, &'static str), Models>,
}

/// Models by name.
type Models = Arc<Named<Arc<Model>>>;

struct Families {
    duration: HistogramVec,
    tokens: HistogramVec,
    first_token: HistogramVec,
}

struct Model {
    name: String,
    durations: Few<&'static str, Histogram>,
    input: Histogram,
    output: Histogram,
    first_token: Histogram,
}

impl GenAi {
    pub(super) fn new(registry: &Registry) -> Self {
        let families = Families {
            duration: make::histograms(registry, &names::GEN_AI_DURATION_SECONDS),
            tokens: make::histograms(registry, &names::GEN_AI_TOKEN_USAGE),
            first_token: make::histograms(registry, &names::GEN_AI_FIRST_TOKEN_SECONDS),
        };
        Self { families, by_operation: Few::default() }
    }

    pub(super) fn ended(&self, record: &Record, model: &str, first_token: Option<Duration>) {
        let Some((format, operation)) = record.format.zip(record.operation) else { return };
        let Some(operation) = operation_name(format, operation) else { return };
        let key = (operation, provider_name(format));
        let error = match record.failure.as_ref().map(|failure| &failure.kind) {
            None => "",
            Some(Cow::Borrowed(kind)) => kind,
            Some(Cow::Owned(_)) => OTHER,
        };
        self.by_operation.with(
            &key,
            || Arc::new(Named::new(MOST_MODELS)),
            |models| {
                models.with(
                    model,
                    |model| Arc::new(Model::new(key, model, &self.families)),
                    |model| {
                        model.lasted(key, error, record.duration, &self.families);
                        if let Some(took) = first_token {
                            model.first_token.observe(took.as_secs_f64());
                        }
                        if record.metering != Metering::None {
                            let usage = record.metering.usage();
                            model.input.observe(usage.total_input() as f64);
                            model.output.observe(usage.output_tokens as f64);
                        }
                    },
                );
            },
        );
    }
}

impl Model {
    fn new((operation, provider): (&str, &str), model: &str, families: &Families) -> Self {
        let tokens = |kind| families.tokens.with_label_values(&[operation, provider, model, kind]);
        Self {
            name: model.to_owned(),
            durations: Few::default(),
            input: tokens("input"),
            output: tokens("output"),
            first_token: families.first_token.with_label_values(&[operation, provider, model]),
        }
    }

    fn lasted(
        &self,
        (operation, provider): (&str, &str),
        error: &'static str,
        took: Duration,
        families: &Families,
    ) {
        let make = || families.duration.with_label_values(&[operation, provider, self.name.as_str(), error]);
        self.durations.with(&error, make, |histogram| histogram.observe(took.as_secs_f64()));
    }
}

fn operation_name(format: Format, operation: Operation) -> Option<&'static str> {
    match (operation, format) {
        (Operation::Generate | Operation::Compact, Format::Gemini) => Some("generate_content"),
        (Operation::Generate | Operation::Compact, _) => Some("chat"),
        (Operation::Embed, _) => Some("embeddings"),
        (Operation::CountTokens, _) => None,
    }
}

fn provider_name(format: Format) -> &'static str {
    match format {
        Format::Anthropic => "anthropic",
        Format::OpenaiChat | Format::OpenaiResponses => "openai",
        Format::Gemini => "gcp.gemini",
    }
}
