//! Whether an engine that works all day stays as small as it was: its process's resident memory while runs with
//! three steps and three lines go through it, as a straight line through the last four fifths of the time.

use std::time::{Duration, Instant};

use server::store::Dialect;
use tokio_util::sync::CancellationToken;

use crate::{
    Wish,
    churn::{Churn, USUAL},
    float, fresh,
};

const SAMPLES: u32 = 100;

pub async fn measure(dialect: Dialect, wish: &Wish) {
    let (engine, db) = fresh(dialect).await;
    let (churn, stop) = (Churn::on(&db), CancellationToken::new());
    let working = churn.work(4, &stop);
    let starting = tokio::spawn({
        let (churn, stop) = (churn.clone(), stop.clone());
        async move {
            while !stop.is_cancelled() {
                // As fast as they are done, and no longer a queue than that.
                churn.start(USUAL).await;
            }
        }
    });
    let lasts = Duration::from_secs_f64(wish.minutes * 60.0);
    let (began, mut samples) = (Instant::now(), Vec::new());
    for n in 1..=SAMPLES {
        tokio::time::sleep((lasts * n / SAMPLES).saturating_sub(began.elapsed())).await;
        samples.push((began.elapsed().as_secs_f64() / 3_600.0, resident_mb()));
    }
    stop.cancel();
    starting.await.expect("the starter ends");
    working.join_all().await;
    let settled = &samples[samples.len() / 5..];
    let (first, last) = (settled[0].1, settled[settled.len() - 1].1);
    println!(
        "  {:.1} min, {:.0} runs/s: resident {first:.1} MB after a fifth of the time, {last:.1} MB in the end, slope {:+.1} MB/h",
        wish.minutes,
        float(churn.begun()) / began.elapsed().as_secs_f64(),
        slope(settled)
    );
    if wish.minutes < 10.0 {
        println!(
            "  So short a time says little: caches still fill. `--minutes 60` is the whole hour."
        );
    }
    db.close().await;
    drop(engine);
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kb.unwrap_or_default() / 1_024.0
}

/// Least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = float(points.len());
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / count, y / count);
    let up: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let wide: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    up / wide
}
