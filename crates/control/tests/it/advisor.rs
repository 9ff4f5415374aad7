//! Settings of the advisor.

use api_types::AdvisorConfig;
use control::{Control, Kind, Settings};

#[tokio::test]
async fn the_advisor_is_set_by_administrators_while_the_experiment_is_on() {
    let db = testkit::db().await;
    let root = testkit::user(&db, "root", &["owner"]).await.who;
    let ann = testkit::user(&db, "ann", &[]).await.who;
    let url: url::Url = "http://coder.example.com".parse().unwrap();
    let off = Control::new(db.store.clone(), Settings::new(url.clone()));
    let kind = |result: control::Result<()>| result.unwrap_err().kind;
    let config = AdvisorConfig::default();
    assert_eq!(
        kind(off.chat_advisor_set(&root, config.clone()).await),
        Kind::Forbidden
    );
    assert!(off.chat_advisor_read(&root).await.is_err());
    let mut settings = Settings::new(url);
    settings.chat_advisor = true;
    let control = Control::new(db.store.clone(), settings);
    assert_eq!(
        kind(control.chat_advisor_set(&ann, config.clone()).await),
        Kind::Forbidden
    );
    assert!(control.chat_advisor_read(&ann).await.unwrap().enabled);
    let with = |change: fn(&mut AdvisorConfig)| {
        let mut config = config.clone();
        change(&mut config);
        config
    };
    for bad in [
        with(|c| c.max_uses_per_run = -1),
        with(|c| c.max_output_tokens = -1),
        with(|c| c.reasoning_effort = Some("high".into())),
        with(|c| c.model_config_id = uuid::Uuid::from_u128(5)),
    ] {
        assert_eq!(
            kind(control.chat_advisor_set(&root, bad).await),
            Kind::Invalid
        );
    }
    let good = with(|c| c.max_uses_per_run = 3);
    control.chat_advisor_set(&root, good).await.unwrap();
    assert_eq!(
        control
            .chat_advisor_read(&ann)
            .await
            .unwrap()
            .max_uses_per_run,
        3
    );
}
