//! Messages to browsers by push.

use serde::{Deserialize, Serialize};

/// `WebpushSubscription` of the API: a browser that wants to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WebpushSubscription {
    /// Where messages for it go: an address of its maker's push service.
    pub endpoint: String,
    /// The secret that messages are sealed with, in base64url.
    pub auth_key: String,
    /// The key that messages are sealed for, in base64url.
    pub p256dh_key: String,
}

/// `DeleteWebpushSubscription` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeleteWebpushSubscription {
    /// Of which browser.
    pub endpoint: String,
}

/// `WebpushMessage` of the API: what a browser shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WebpushMessage {
    /// A picture.
    pub icon: String,
    /// The first line.
    pub title: String,
    /// The rest.
    pub body: String,
    /// A message takes the place of an older one of the same tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// Buttons.
    pub actions: Vec<WebpushMessageAction>,
    /// Where a click leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<WebpushMessageData>,
}

/// `WebpushMessageAction` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WebpushMessageAction {
    /// Its text.
    pub label: String,
    /// Where it leads.
    pub url: String,
}

/// What comes with a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WebpushMessageData {
    /// A path of the dashboard.
    pub url: String,
}
