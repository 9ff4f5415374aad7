//! What is let through, and what is not.

use serde_json::{Value, json};

use super::document::Document;
use super::*;

fn document() -> Document {
    Document::new(json!({
        "paths": {
            "/api/v2/users": { "post": { "produces": ["application/json"], "responses": {
                "201": { "schema": { "$ref": "#/definitions/User" } } } } },
            "/api/v2/users/{user}": { "get": { "produces": ["application/json"], "responses": {
                "200": { "schema": { "$ref": "#/definitions/User" } } } } },
            "/api/v2/users/first": { "get": { "produces": ["application/json"], "responses": {
                "200": { "schema": { "type": "array", "items": { "type": "string" } } } } } },
            "/api/experimental/chats/{chat}": { "delete": { "responses": { "204": {} } } },
        },
        "definitions": {
            "User": { "type": "object", "required": ["id"], "properties": {
                "id": { "type": "string", "format": "uuid" },
                "made": { "type": "string", "format": "date-time" },
                "status": { "type": "string", "enum": ["active", "suspended"] },
                "count": { "type": "integer" },
                "roles": { "type": "array", "items": { "$ref": "#/definitions/Role" } },
                "more": { "type": "object", "additionalProperties": { "type": "boolean" } },
            } },
            "Role": { "type": "object", "properties": { "name": { "type": "string" } } },
            "codersdk.Response": { "type": "object", "properties": {
                "message": { "type": "string" }, "detail": { "type": "string" } } },
        },
    }))
}

fn found(method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
    let document = document();
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = Answer {
        method,
        path,
        status,
        content_type: (!text.is_empty()).then_some("application/json; charset=utf-8"),
        body: text.as_bytes(),
    };
    let route = document.route(method, path);
    let operation = route.as_ref().map_or(&Value::Null, |route| route.operation);
    let mut found = Vec::new();
    of_answer(&document, operation, &answer, &mut found);
    found
}

const ID: &str = "d1e6b7d8-57c4-4c33-b3b7-6a2f1d0f8a10";

#[test]
fn an_answer_as_published_is_let_through() {
    let user = json!({ "id": ID, "made": "2026-01-02T03:04:05.678+09:00", "status": "active", "count": 3,
        "roles": [{ "name": "owner" }], "more": { "a": true } });
    assert_eq!(found("GET", "/api/v2/users/ann", 200, &user), [""; 0]);
    assert_eq!(found("POST", "/api/v2/users", 201, &user), [""; 0]);
    // Its own words come before a name.
    assert_eq!(
        found("GET", "/api/v2/users/first", 200, &json!(["a"])),
        [""; 0]
    );
    // Promoted after the document was made.
    assert_eq!(
        found("DELETE", "/api/v2/chats/x", 204, &Value::Null),
        [""; 0]
    );
    assert_eq!(
        found(
            "GET",
            "/api/v2/users/ann",
            404,
            &json!({ "message": "No such user." })
        ),
        [""; 0]
    );
}

#[test]
fn every_difference_is_told_with_its_place() {
    for (body, finding) in [
        (json!({ "id": "x" }), "$.id: \"x\" is no UUID"),
        (json!({ "id": "" }), "$.id: \"\" is no UUID"),
        (json!({}), "$.id is required"),
        (
            json!({ "id": ID, "made": "2026-01-02" }),
            "$.made: \"2026-01-02\" is no RFC 3339 time",
        ),
        (
            json!({ "id": ID, "made": "2026-01-02T03:04:05." }),
            "$.made: \"2026-01-02T03:04:05.\" is no RFC 3339 time",
        ),
        (
            json!({ "id": ID, "status": "gone" }),
            "$.status: \"gone\" is none of the listed values",
        ),
        (
            json!({ "id": ID, "count": 1.5 }),
            "$.count: a whole number is expected, not 1.5",
        ),
        (
            json!({ "id": ID, "extra": 1 }),
            "$.extra is not in the definition",
        ),
        (
            json!({ "id": ID, "roles": {} }),
            "$.roles: an array is expected, not {}",
        ),
        (
            json!({ "id": ID, "roles": [{ "name": 1 }] }),
            "$.roles[0].name: a string is expected, not 1",
        ),
        (
            json!({ "id": ID, "more": { "a": 1 } }),
            "$.more.a: true or false is expected, not 1",
        ),
        (json!([]), "$: an object is expected, not []"),
    ] {
        assert_eq!(found("GET", "/api/v2/users/ann", 200, &body), [finding]);
    }
}

#[test]
fn statuses_and_errors_have_a_shape_too() {
    let cases = [
        (
            "GET",
            "/api/v2/users/ann",
            201,
            json!({ "id": ID }),
            "status 201 is not in the document",
        ),
        ("GET", "/api/v2/users/ann", 200, Value::Null, "no body"),
        (
            "GET",
            "/api/v2/nothing",
            200,
            json!({}),
            "is not in the document",
        ),
        (
            "DELETE",
            "/api/v2/chats/x",
            204,
            json!({}),
            "a body, where none may be",
        ),
        (
            "GET",
            "/api/v2/users/ann",
            400,
            json!({}),
            "$.message: errors say what is wrong",
        ),
        (
            "GET",
            "/api/v2/nothing",
            404,
            Value::Null,
            "the error is no JSON: ",
        ),
        (
            "GET",
            "/api/v2/users/ann",
            500,
            json!({ "message": "x" }),
            "status 500 is a failure of the server",
        ),
        (
            "GET",
            "/api/v2/users/ann",
            404,
            json!({ "message": "x", "code": 1 }),
            "$.code is not in the definition",
        ),
    ];
    for (method, path, status, body, finding) in cases {
        assert_eq!(
            found(method, path, status, &body),
            [finding],
            "{method} {path} {status}"
        );
    }
}

#[test]
fn the_report_tells_what_was_not_shown() {
    let seen = "served GET /api/v2/users/{name}\nserved POST /api/v2/users\nserved DELETE /api/v2/chats/{c}\n\
        served GET /api/v2/own\nanswered GET /api/v2/users/{user} 200\nfield User id\nlacked User id\nlacked User made\n";
    let report = report(&document(), seen);
    for line in [
        "Published, served, never answered: 2\n  DELETE /api/experimental/chats/{}\n  POST /api/v2/users\n",
        "Published, not served: 1\n  GET /api/v2/users/first\n",
        "Served, not published: 1\n  GET /api/v2/own\n",
        "Fields never sent: 1\n  User.made\n",
    ] {
        assert!(report.contains(line), "{report}");
    }
}
