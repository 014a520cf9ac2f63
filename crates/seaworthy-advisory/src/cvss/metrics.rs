//! Reading `NAME:VALUE/NAME:VALUE…` against the metrics of one CVSS version.

use super::CvssError;

/// At least as many as any version has metrics.
const MAX_METRICS: usize = 32;

/// One metric of a version and the values it may have.
pub(super) struct Metric {
    name: &'static str,
    values: &'static [&'static str],
    mandatory: bool,
    /// How many values at the start exist only to keep the numbers of two metrics alike.
    hidden: usize,
}

impl Metric {
    pub(super) const fn base(name: &'static str, values: &'static [&'static str]) -> Metric {
        Metric {
            name,
            values,
            mandatory: true,
            hidden: 0,
        }
    }

    pub(super) const fn optional(name: &'static str, values: &'static [&'static str]) -> Metric {
        Metric {
            name,
            values,
            mandatory: false,
            hidden: 0,
        }
    }

    /// The same metric, whose first value cannot be written.
    pub(super) const fn without_first(mut self) -> Metric {
        self.hidden = 1;
        self
    }
}

/// The values in a vector: for each metric of the version's list, the number of its value.
pub(super) struct Metrics {
    values: [Option<u8>; MAX_METRICS],
}

impl Metrics {
    /// Reads a vector without its prefix. Every metric at most once, every mandatory one
    /// once, no unknown names or values; any order.
    pub(super) fn parse(text: &str, list: &[Metric]) -> Result<Metrics, CvssError> {
        let mut values = [None; MAX_METRICS];
        for part in text.split('/') {
            let (name, value) = part.split_once(':').ok_or(CvssError::Malformed)?;
            let (slot, metric) = values
                .iter_mut()
                .zip(list)
                .find(|(_, metric)| metric.name == name)
                .ok_or(CvssError::UnknownMetric)?;
            let index = metric
                .values
                .iter()
                .position(|known| *known == value)
                .filter(|index| *index >= metric.hidden)
                .and_then(|index| u8::try_from(index).ok())
                .ok_or(CvssError::UnknownValue)?;
            if slot.replace(index).is_some() {
                return Err(CvssError::Repeated);
            }
        }
        for (value, metric) in values.iter().zip(list) {
            if metric.mandatory && value.is_none() {
                return Err(CvssError::Missing(metric.name));
            }
        }
        Ok(Metrics { values })
    }

    /// The number of a metric's value in its list; `None` when the metric is absent or has
    /// the value that stands for "not defined".
    pub(super) fn index(&self, list: &[Metric], name: &str, undefined: &str) -> Option<u8> {
        let (value, metric) = self
            .values
            .iter()
            .zip(list)
            .find(|(_, metric)| metric.name == name)?;
        value.filter(|index| metric.values.get(usize::from(*index)) != Some(&undefined))
    }

    /// The weight of a mandatory metric's value, from a table in the order of its values.
    pub(super) fn weight(&self, list: &[Metric], name: &str, weights: &[f64]) -> f64 {
        self.index(list, name, "")
            .and_then(|index| weights.get(usize::from(index)).copied())
            .unwrap_or(0.0)
    }
}
