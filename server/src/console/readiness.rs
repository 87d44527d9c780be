//! What the console cannot serve without, each asked by name.

use crate::{
    events::Feed,
    store::{Db, StoreError},
    web::health::Readiness,
};

pub(super) fn register(readiness: &Readiness, db: &Db, feed: &Feed) {
    let say = |error: StoreError| error.to_string();
    let store = db.clone();
    readiness.register("store", move || {
        let db = store.clone();
        async move { db.ping().await.map(|()| format!("{:?}", db.dialect())).map_err(say) }
    });
    let schema = db.clone();
    readiness.register("migrations", move || {
        let db = schema.clone();
        async move {
            let version = crate::store::SCHEMA_VERSION;
            db.check_schema().await.map(|()| format!("schema {version}")).map_err(say)
        }
    });
    let clocks = db.clone();
    readiness.register("clock", move || {
        let db = clocks.clone();
        async move {
            let theirs = db.now().await.map_err(say)?;
            let apart = db.clock().now().since(theirs).abs();
            // Leases last 30 s and are judged by the database's clock; 5 s apart leaves room.
            if apart > 5 * app::time::Micros::SECOND {
                return Err(format!("{} ms apart from the database's clock", apart / 1000));
            }
            Ok(format!("{} ms apart from the database's clock", apart / 1000))
        }
    });
    let feed = feed.clone();
    readiness.register("events", move || {
        let feed = feed.clone();
        async move {
            let lag = feed.lag().await.map_err(say)?;
            // Whoever commits numbers at once, and a poll looks each second.
            if lag > 10 * app::time::Micros::SECOND {
                return Err(format!("news has waited {} ms for its number", lag / 1000));
            }
            Ok(format!("{} ms behind", lag / 1000))
        }
    });
}
