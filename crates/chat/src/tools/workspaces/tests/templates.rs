//! Templates as a model sees them.

use super::*;

#[tokio::test]
async fn templates_come_in_pages_with_what_to_do_next() {
    let house = house();
    let list = async |args: Value| {
        let args = Args(args.as_object().unwrap().clone());
        list::list(&house, &args).await.unwrap()
    };
    let first = list(json!({})).await;
    assert_eq!(first["templates"].as_array().unwrap().len(), 10);
    assert_eq!(
        (&first["page"], &first["next_page"]),
        (&json!(1), &json!(2))
    );
    assert!(first.get("recommended_template_id").is_none());
    assert!(first["next_step"].as_str().unwrap().contains("Ask"));
    let item = &first["templates"][0];
    assert_eq!(item["readme_excerpt"], "# Hi");
    assert_eq!(item["description"].as_str().unwrap().len(), 200);
    let second = list(json!({ "page": 2 })).await;
    assert_eq!(second["templates"].as_array().unwrap().len(), 2);
    assert!(second.get("next_page").is_none());
    let beyond = list(json!({ "page": u64::MAX })).await;
    assert!(beyond["templates"].as_array().unwrap().is_empty());
    assert!(beyond.get("next_page").is_none());
    let one = list(json!({ "query": "t12" })).await;
    assert_eq!(one["recommended_template_id"], json!(Uuid::from_u128(12)));
    let none = list(json!({ "query": "windows" })).await;
    assert!(none["templates"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_template_is_read() {
    let args = json!({ "template_id": Uuid::nil() });
    let answer = read::read(&house(), &Args(args.as_object().unwrap().clone())).await;
    let answer = answer.unwrap();
    assert_eq!(
        answer["template"]["readme"]
            .as_str()
            .unwrap()
            .chars()
            .count(),
        8001
    );
    assert_eq!(
        answer["parameters"][0],
        json!({ "name": "region", "type": "", "required": false, "mutable": true })
    );
    assert_eq!(answer["presets"][0]["parameters"], json!([]));
    assert!(answer["template"].get("display_name").is_none());
}
