//! MCP servers that a chat brings along.

use api_types::{ChatInputPart, CreateChatRequest, InlineMcpServer, Secret, UpdateChatRequest};
use http::Method;
use serde_json::{Value, json};
use testkit::model::Reply;

use crate::chats::with_settings;
use crate::mcp::{begin, calls, here_is_reached, offered, rest, result, server};

/// A header that nobody is to see.
const HIDDEN: &str = "s3cret-of-the-chat";

fn inline(slug: &str, url: &str) -> InlineMcpServer {
    InlineMcpServer {
        slug: slug.to_owned(),
        url: url.to_owned(),
        ..InlineMcpServer::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_uses_the_servers_that_it_brings_along() {
    let chats = with_settings(|settings| {
        settings.seal = store::seal::Seal::new(&[Secret::new(vec![3; 32])]).unwrap();
    })
    .await;
    here_is_reached(&chats);
    let (address, heard) = server().await;
    let url = format!("http://{address}/mcp");
    calls(
        &chats,
        &[
            ("c1", "mine__echo", r#"{"x":"hello"}"#),
            ("c2", "mine__hidden", "{}"),
        ],
    );
    let chat = begin(&chats, |request| {
        request.inline_mcp_servers = vec![
            InlineMcpServer {
                headers: [("X-Key".to_owned(), Secret::new(HIDDEN.to_owned()))].into(),
                tool_deny_list: vec!["hidden".into()],
                allow_in_subagents: true,
                forward_coder_headers: true,
                ..inline("mine", &url)
            },
            InlineMcpServer {
                tool_allow_list: vec!["lure".into()],
                ..inline("few", &url)
            },
            // Addresses that nobody may make us reach.
            inline("cloud", "http://169.254.169.254/latest/"),
            inline("inner", "http://10.255.255.1/mcp"),
        ];
    })
    .await;
    let history = rest(&chats, chat.id).await;
    let echo = result(&history, "c1");
    assert_eq!(echo.result, Some(json!({ "x": "hello" })));
    // The organization knows no such server.
    assert_eq!(echo.mcp_server_config_id, None);
    let denied = result(&history, "c2");
    assert!(denied.is_error, "{denied:?}");
    let asked = chats.provider.asked();
    let tools = asked
        .iter()
        .map(offered)
        .find(|tools| !tools.is_empty())
        .unwrap();
    let theirs: Vec<_> = tools.iter().filter(|name| name.contains("__")).collect();
    assert_eq!(
        theirs,
        ["few__lure", "mine__echo", "mine__lure", "mine__picture"]
    );
    {
        let heard = heard.lock();
        let with_key = heard
            .iter()
            .filter(|(headers, _)| headers.contains_key("x-key"));
        assert!(with_key.clone().count() > 0);
        for (headers, _) in with_key {
            assert_eq!(headers["x-key"], HIDDEN);
            assert_eq!(headers["x-coder-chat-id"], *chat.id.to_string());
        }
    }

    // Its owner sees what it brought along, and nobody the headers.
    let api = chats.world.client();
    let path = format!("/api/v2/chats/{}", chat.id);
    let seen: Value = api.call(Method::GET, &path).decode().await.unwrap();
    let first = &seen["inline_mcp_servers"][0];
    assert_eq!(
        (&first["slug"], &first["url"], &first["has_headers"]),
        (&json!("mine"), &json!(url), &json!(true))
    );
    assert!(first["headers"].is_null() && !seen.to_string().contains(HIDDEN));
    let listed: Value = api
        .call(Method::GET, "/api/v2/chats")
        .decode()
        .await
        .unwrap();
    assert!(listed[0]["inline_mcp_servers"].is_null(), "{listed}");
    let of_admin: Value = chats.admin.call(Method::GET, &path).decode().await.unwrap();
    assert!(of_admin["inline_mcp_servers"].is_null(), "{of_admin}");
    let whole = format!("{} {asked:?}", serde_json::to_string(&history).unwrap());
    assert!(!whole.contains(HIDDEN));
    let sql = "SELECT string_agg(coalesce(secrets, '') || coalesce(secrets_key_id, ''), ' ') \
               FROM chat_inline_mcp_servers";
    let kept: String = chats.world.db.query_one(sql, &[]).await.unwrap().get(0);
    assert!(
        kept.len() > HIDDEN.len() && !kept.contains(HIDDEN),
        "{kept}"
    );

    // A helper has those that are meant for it too.
    let owner = &chats.world.owner.who;
    let conn = chats.world.db.store.conn().await.unwrap();
    let mut row = conn.chat_read(owner, chat.id).await.unwrap();
    drop(conn);
    let control = &chats.world.control;
    assert_eq!(control.mcp_inline_of_chat(&row).await.unwrap().len(), 4);
    (row.parent_chat_id, row.root_chat_id) = (Some(chat.id), Some(chat.id));
    row.id = uuid::Uuid::new_v4();
    let of_helper = control.mcp_inline_of_chat(&row).await.unwrap();
    assert_eq!(of_helper.len(), 1);
    assert_eq!(of_helper[0].fields().slug, "mine");

    // Who plans changes nothing, not at a stranger's either.
    chats.provider.otherwise(|_| Reply::text("planned"));
    let plan = UpdateChatRequest {
        plan_mode: Some("plan".into()),
        ..UpdateChatRequest::default()
    };
    api.chat_update(chat.id, &plan).await.unwrap();
    let say = api_types::CreateChatMessageRequest {
        content: vec![ChatInputPart::text("plan it")],
        ..Default::default()
    };
    api.chat_send(chat.id, &say).await.unwrap();
    let planned = async || {
        let history = api.chat_history(chat.id).await.unwrap();
        let texts = history
            .iter()
            .flat_map(|m| &m.content)
            .filter_map(|p| p.text.clone());
        texts.into_iter().any(|text| text == "planned")
    };
    crate::world::eventually("the chat has planned", planned).await;
    let asked = chats.provider.asked();
    let tools = asked
        .iter()
        .rev()
        .map(offered)
        .find(|tools| !tools.is_empty())
        .unwrap();
    assert!(!tools.iter().any(|name| name.contains("__")), "{tools:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_chat_brings_along_is_checked() {
    let world = crate::world::world().await;
    let organization_id = testkit::default_organization(&world.db).await;
    let api = world.client();
    let good = || inline("a", "http://mcp.example/");
    let with = |name: &str, value: &str| InlineMcpServer {
        headers: [(name.to_owned(), Secret::new(value.to_owned()))].into(),
        ..good()
    };
    let request = |servers: Vec<InlineMcpServer>| CreateChatRequest {
        organization_id,
        content: vec![ChatInputPart::text("go")],
        inline_mcp_servers: servers,
        ..CreateChatRequest::default()
    };
    let long = "x".repeat(3000);
    for (servers, told) in [
        (
            (0..6)
                .map(|n| inline(&n.to_string(), "http://x/"))
                .collect(),
            "5 servers",
        ),
        (vec![good(), good()], "inline_mcp_servers[1].slug"),
        (vec![inline("", "http://x/")], "inline_mcp_servers[0].slug"),
        (vec![inline("a b", "http://x/")], "slug"),
        (vec![inline(&long, "http://x/")], "slug"),
        (vec![inline("a", "file:///etc/passwd")], "url"),
        (vec![inline("a", "nonsense")], "url"),
        (vec![inline("a", &format!("http://x/{long}"))], "url"),
        (vec![with("Host", "x")], "inline_mcp_servers[0]"),
        (vec![with("a b", "x")], "inline_mcp_servers[0]"),
        (vec![with("a", "x\r\nb: c")], "inline_mcp_servers[0]"),
    ] {
        let refused = api.chat_create(&request(servers)).await.unwrap_err();
        let error = refused.api().unwrap();
        let text = format!("{error} {}", error.detail);
        assert!(error.status == 400 && text.contains(told), "{told}: {text}");
    }
    let world = crate::world::with_settings(|settings| {
        settings.disable_chat_caller_supplied_tools = true;
    })
    .await;
    let request = CreateChatRequest {
        organization_id: testkit::default_organization(&world.db).await,
        ..request(vec![good()])
    };
    let refused = world.client().chat_create(&request).await.unwrap_err();
    assert!(
        refused.to_string().contains("inline_mcp_servers"),
        "{refused}"
    );
}
