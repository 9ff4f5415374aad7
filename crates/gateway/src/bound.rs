//! The most that a call may cost, said before it is made.

use llm::{MediaPart, Message, Part, Request, ToolOutput, Usage};
use store::ai::Prices;

use crate::cost_micros;

/// Text in bytes that is no more than one token: English has about four, and the worst that people
/// write (digits, rare scripts) about two.
const BYTES_PER_TOKEN: u64 = 2;
/// What a picture or a page of a document may take at most.
const MEDIA_TOKENS: u64 = 5000;
/// Bytes of a document that hold no more than one page.
const PAGE_BYTES: u64 = 2048;
/// What marks one message, part or tool for a model.
const FRAME_TOKENS: u64 = 16;
/// Output of a call that names no limit.
const OUTPUT_TOKENS: u64 = 32_000;

/// What `request` costs at most by `prices`, in millionths of a US dollar: all that can be read is
/// read at the dearest price (a provider reads no more than `context_limit`), and all that may be
/// written is written.
pub(crate) fn bound_micros(prices: &Prices, request: &Request, context_limit: i64) -> i64 {
    let read = tokens(request).min(u64::try_from(context_limit).unwrap_or(u64::MAX));
    let dearest = Prices {
        input: prices.input.max(prices.cache_read).max(prices.cache_write),
        ..*prices
    };
    let usage = Usage {
        input_tokens: read,
        output_tokens: request.max_output_tokens.map_or(OUTPUT_TOKENS, u64::from),
        ..Usage::default()
    };
    cost_micros(&dearest, &usage)
}

fn tokens(request: &Request) -> u64 {
    let messages: u64 = request.messages.iter().map(of_message).sum();
    let tools: u64 = request
        .tools
        .iter()
        .map(|tool| {
            let native = tool.native.as_ref().map_or(0, |v| v.to_string().len());
            let length =
                tool.name.len() + tool.description.len() + tool.schema.to_string().len() + native;
            FRAME_TOKENS + of_bytes(length)
        })
        .sum();
    messages.saturating_add(tools)
}

fn of_message(message: &Message) -> u64 {
    let parts: u64 = message.parts.iter().map(of_part).sum();
    FRAME_TOKENS + parts
}

fn of_part(part: &Part) -> u64 {
    let content = match part {
        Part::Text { text, .. } | Part::Reasoning { text, .. } => of_bytes(text.len()),
        Part::Media(media) => of_media(media),
        Part::ToolCall(call) => of_bytes(call.name.len() + call.args.len()),
        Part::ToolResult(result) => match &result.output {
            ToolOutput::Text(text) => of_bytes(text.len()),
            ToolOutput::Media { text, media } => of_bytes(text.len()) + of_media(media),
            ToolOutput::Provider(value) => of_bytes(value.to_string().len()),
        },
        Part::Source(source) => of_bytes(source.url.len() + source.title.len()),
    };
    FRAME_TOKENS + content
}

fn of_bytes(length: usize) -> u64 {
    (length as u64).div_ceil(BYTES_PER_TOKEN)
}

fn of_media(media: &MediaPart) -> u64 {
    let length = media.data.bytes().len();
    if media.media_type.starts_with("text/") {
        return of_bytes(length);
    }
    if media.media_type.starts_with("image/") {
        return MEDIA_TOKENS;
    }
    (length as u64).div_ceil(PAGE_BYTES).max(1) * MEDIA_TOKENS
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm::Role;

    const PRICES: Prices = Prices {
        input: Some(1_000_000),
        output: Some(2_000_000),
        cache_read: Some(100_000),
        cache_write: Some(1_500_000),
    };

    fn saying(text: String) -> Request {
        Request {
            messages: vec![Message::text(Role::User, text)],
            max_output_tokens: Some(10),
            ..Request::default()
        }
    }

    #[test]
    fn the_dearest_way_counts() {
        // 1000 bytes, a message and a part: 532 tokens at 1.5, and 10 at 2.
        let bound = bound_micros(&PRICES, &saying("x".repeat(1000)), 100_000);
        assert_eq!(bound, 798 + 20);
    }

    #[test]
    fn no_model_reads_more_than_it_can() {
        let bound = bound_micros(&PRICES, &saying("x".repeat(1 << 20)), 1000);
        assert_eq!(bound, 1500 + 20);
    }

    #[test]
    fn what_has_no_price_costs_nothing() {
        let bound = bound_micros(&Prices::default(), &saying("x".repeat(1 << 20)), 1000);
        assert_eq!(bound, 0);
    }
}
