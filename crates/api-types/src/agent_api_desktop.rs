//! The desktop of a workspace, as its agent serves it to the control plane.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/v0/desktop/action`: one thing to do there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DesktopAction {
    /// `key`, `type`, `left_click`, `screenshot`, …
    pub action: String,
    /// Where, in pixels of the scaled screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinate: Option<[i64; 2]>,
    /// Where a drag begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_coordinate: Option<[i64; 2]>,
    /// Keys by name, or what to type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How long a key is held, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// Clicks of the wheel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scroll_amount: Option<i64>,
    /// `up`, `down`, `left` or `right`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scroll_direction: Option<String>,
    /// Width of the screen as the caller sees it; the real one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaled_width: Option<i64>,
    /// Its height.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaled_height: Option<i64>,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DesktopActionResponse {
    /// In words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// A PNG in base64.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub screenshot_data: String,
    /// Its width.
    #[serde(skip_serializing_if = "is_zero")]
    pub screenshot_width: i64,
    /// Its height.
    #[serde(skip_serializing_if = "is_zero")]
    pub screenshot_height: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// Body of `POST /api/v0/desktop/recording/start` and `…/stop`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DesktopRecordingRequest {
    /// A UUID that the caller chose.
    pub recording_id: String,
}
