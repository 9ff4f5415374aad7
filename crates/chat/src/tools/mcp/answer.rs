//! What a server's tool said, as the result of a call: its texts, or else a picture.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp::Called;
use serde_json::json;

use super::super::{ToolAnswer, text_value};

/// Bytes of a picture, as text: what all providers take.
const MAX_PICTURE: usize = 5 << 20;
/// Kinds of pictures that models see.
const PICTURES: &[&str] = &["image/png", "image/jpeg", "image/gif", "image/webp"];

/// The result. Texts count more than pictures: not all models see these.
pub(super) fn answer(called: Called) -> ToolAnswer {
    let is_error = called.is_error;
    let mut texts: Vec<String> = Vec::new();
    let mut picture = None;
    let mut left_out = Vec::new();
    for block in called.content {
        if block.data.is_empty() {
            if !block.text.is_empty() {
                texts.push(block.text);
            }
        } else if picture.is_none()
            && PICTURES.contains(&block.media_type.as_str())
            && block.data.len() <= MAX_PICTURE
            && STANDARD.decode(&block.data).is_ok()
        {
            picture = Some((block.media_type, block.data));
        } else {
            let bytes = block.data.len() / 4 * 3;
            left_out.push(format!(
                "[{} of type {:?} with about {bytes} bytes is not shown]",
                block.r#type, block.media_type
            ));
        }
    }
    if texts.is_empty()
        && let Some((media_type, data)) = picture
    {
        return ToolAnswer {
            value: json!({ "data": data, "mime_type": media_type, "text": left_out.join("\n") }),
            is_error,
            is_media: true,
        };
    }
    texts.extend(left_out);
    let text = texts.join("\n");
    ToolAnswer {
        value: if is_error {
            json!({ "error": text })
        } else {
            text_value(&text)
        },
        is_error,
        is_media: false,
    }
}

#[cfg(test)]
mod tests {
    use api_types::McpToolContent;

    use super::*;

    fn block(kind: &str, text: &str, data: &str, media: &str) -> McpToolContent {
        McpToolContent {
            r#type: kind.into(),
            text: text.into(),
            data: data.into(),
            media_type: media.into(),
        }
    }

    fn said(content: Vec<McpToolContent>, is_error: bool) -> ToolAnswer {
        answer(Called { content, is_error })
    }

    #[test]
    fn texts_count_more_than_pictures() {
        let text = block("text", "hi", "", "");
        let picture = block("image", "", "AAAA", "image/png");
        let both = said(vec![picture.clone(), text.clone()], false);
        assert_eq!(both.value, json!({ "output": "hi" }));
        let alone = said(vec![picture.clone()], false);
        assert!(alone.is_media && alone.value["mime_type"] == "image/png");
        let failed = said(vec![text], true);
        assert_eq!(
            (failed.is_error, &failed.value["error"]),
            (true, &json!("hi"))
        );
        assert_eq!(said(Vec::new(), false).value, json!({ "output": "" }));
    }

    #[test]
    fn what_models_cannot_see_is_named() {
        for odd in [
            block("audio", "", "AAAA", "audio/wav"),
            block("image", "", "no base64!", "image/png"),
            block("image", "", &"A".repeat(MAX_PICTURE + 4), "image/png"),
            block("image", "", "AAAA", "image/svg+xml"),
        ] {
            let answer = said(vec![odd], false);
            let text = answer.value["output"].as_str().unwrap();
            assert!(!answer.is_media && text.contains("is not shown"), "{text}");
        }
    }
}
