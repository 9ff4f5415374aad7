//! What is done on the desktop: keys, the pointer, pictures. Points are in pixels of the screen as the
//! caller sees it, which may be smaller than the real one.

use std::time::Duration;

use api_types::{DesktopAction, DesktopActionResponse};
use base64::Engine as _;

use super::rfb::Rfb;
use super::{Desktop, DesktopError, keys};

/// Longest text that is typed at once, in characters.
const MAX_TEXT: usize = 20_000;
/// Most clicks of the wheel at once.
const MAX_SCROLL: i64 = 100;
/// How far a wheel is turned when nobody says.
const SCROLL: i64 = 3;
/// How long a key is held when nobody says, in milliseconds.
const HOLD: i64 = 1000;
/// The longest: who asks waits for half a minute.
const MAX_HOLD: i64 = 20_000;
/// Largest side of the screen as a caller may see it, in pixels.
const MAX_SIDE: i64 = 8192;
/// Between the two points of a drag: programs that see it in one leap take it for a click.
const DRAG_STEPS: i64 = 8;
/// Between the clicks of a double click: programs must see each of them.
const CLICK_PAUSE: Duration = Duration::from_millis(20);

const LEFT: u8 = 1;
const MIDDLE: u8 = 1 << 1;
const RIGHT: u8 = 1 << 2;

/// The screen as the caller sees it, and as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Geometry {
    seen: (i64, i64),
    real: (i64, i64),
}

impl Geometry {
    fn new(action: &DesktopAction, real: (u16, u16)) -> Result<Self, DesktopError> {
        let real = (i64::from(real.0), i64::from(real.1));
        let side = |asked: Option<i64>, real: i64| match asked.filter(|asked| *asked > 0) {
            Some(asked) if asked > MAX_SIDE => Err(DesktopError::Invalid(format!(
                "The scaled screen must not have more than {MAX_SIDE} pixels a side."
            ))),
            asked => Ok(asked.unwrap_or(real)),
        };
        let seen = (
            side(action.scaled_width, real.0)?,
            side(action.scaled_height, real.1)?,
        );
        Ok(Self { seen, real })
    }

    /// The real pixel in the middle of what the caller calls this point.
    fn real(&self, [x, y]: [i64; 2]) -> (u16, u16) {
        let scale = |n: i64, seen: i64, real: i64| {
            let n = n.clamp(0, seen - 1);
            u16::try_from((n * 2 + 1) * real / (seen * 2)).unwrap_or(u16::MAX)
        };
        (
            scale(x, self.seen.0, self.real.0),
            scale(y, self.seen.1, self.real.1),
        )
    }

    fn seen(&self, (x, y): (u16, u16)) -> (i64, i64) {
        (
            i64::from(x) * self.seen.0 / self.real.0,
            i64::from(y) * self.seen.1 / self.real.1,
        )
    }
}

fn missing(field: &str, action: &str) -> DesktopError {
    DesktopError::Invalid(format!("Missing {field:?} for {action} action."))
}

impl Desktop {
    /// Does one thing on the desktop.
    ///
    /// # Errors
    /// [`DesktopError`].
    pub(crate) async fn act(
        &self,
        action: &DesktopAction,
    ) -> Result<DesktopActionResponse, DesktopError> {
        self.recordings.touch();
        let mut screen = self.screen.lock().await;
        let session = self.session(&mut screen).await?;
        let done = perform(session, action).await;
        if matches!(done, Err(DesktopError::Io(_))) {
            // The next one begins anew.
            screen.session = None;
        }
        done
    }
}

async fn perform(
    rfb: &mut Rfb,
    action: &DesktopAction,
) -> Result<DesktopActionResponse, DesktopError> {
    let name = action.action.as_str();
    let geometry = Geometry::new(action, rfb.size())?;
    let text = || action.text.as_deref().ok_or_else(|| missing("text", name));
    let keys = || keys::together(text()?).map_err(DesktopError::Invalid);
    let point = || {
        let at = action
            .coordinate
            .ok_or_else(|| missing("coordinate", name))?;
        Ok::<_, DesktopError>(geometry.real(at))
    };
    let here = rfb.pointer();
    match name {
        "key" => {
            let keys = keys()?;
            press(rfb, &keys).await?;
            release(rfb, &keys).await?;
        }
        "key_down" => press(rfb, &keys()?).await?,
        "key_up" => release(rfb, &keys()?).await?,
        "hold_key" => {
            let keys = keys()?;
            let held = action.duration.unwrap_or(HOLD);
            let held = u64::try_from(held).ok().filter(|_| held <= MAX_HOLD);
            let held = held.ok_or_else(|| {
                DesktopError::Invalid(format!("A key can be held for 0 to {MAX_HOLD} ms."))
            })?;
            press(rfb, &keys).await?;
            tokio::time::sleep(Duration::from_millis(held)).await;
            release(rfb, &keys).await?;
        }
        "type" => {
            let text = text()?;
            if text.chars().count() > MAX_TEXT {
                return Err(DesktopError::Invalid(format!(
                    "At most {MAX_TEXT} characters can be typed at once."
                )));
            }
            for key in text.chars().map(keys::of_char) {
                press(rfb, &[key]).await?;
                release(rfb, &[key]).await?;
            }
        }
        "cursor_position" => {
            let (x, y) = geometry.seen(here);
            return Ok(said(format!("x={x},y={y}")));
        }
        "mouse_move" => rfb.point(point()?, rfb.buttons()).await?,
        "left_click" => click(rfb, point()?, LEFT, 1).await?,
        "right_click" => click(rfb, point()?, RIGHT, 1).await?,
        "middle_click" => click(rfb, point()?, MIDDLE, 1).await?,
        "double_click" => click(rfb, point()?, LEFT, 2).await?,
        "triple_click" => click(rfb, point()?, LEFT, 3).await?,
        "left_mouse_down" => rfb.point(here, rfb.buttons() | LEFT).await?,
        "left_mouse_up" => rfb.point(here, rfb.buttons() & !LEFT).await?,
        "left_click_drag" => {
            let from = action
                .start_coordinate
                .ok_or_else(|| missing("start_coordinate", name))?;
            drag(rfb, geometry.real(from), point()?).await?;
        }
        "scroll" => {
            let at = point()?;
            let amount = action.scroll_amount.unwrap_or(SCROLL);
            if !(0..=MAX_SCROLL).contains(&amount) {
                return Err(DesktopError::Invalid(format!(
                    "The wheel can be turned by 0 to {MAX_SCROLL} clicks at once."
                )));
            }
            // Each direction is a button of its own.
            let button = match action.scroll_direction.as_deref().unwrap_or("down") {
                "up" => 1 << 3,
                "down" => 1 << 4,
                "left" => 1 << 5,
                "right" => 1 << 6,
                other => {
                    let text = format!("Invalid scroll direction: {other}");
                    return Err(DesktopError::Invalid(text));
                }
            };
            rfb.point(at, rfb.buttons()).await?;
            for _ in 0..amount {
                rfb.point(at, rfb.buttons() | button).await?;
                rfb.point(at, rfb.buttons() & !button).await?;
            }
        }
        "screenshot" => return screenshot(rfb, geometry).await,
        other => return Err(DesktopError::Invalid(format!("Unknown action: {other}"))),
    }
    Ok(said(format!("{name} action performed")))
}

fn said(output: String) -> DesktopActionResponse {
    DesktopActionResponse {
        output,
        ..DesktopActionResponse::default()
    }
}

async fn press(rfb: &mut Rfb, keys: &[u32]) -> Result<(), DesktopError> {
    for key in keys {
        rfb.key(*key, true).await?;
    }
    Ok(())
}

async fn release(rfb: &mut Rfb, keys: &[u32]) -> Result<(), DesktopError> {
    for key in keys.iter().rev() {
        rfb.key(*key, false).await?;
    }
    Ok(())
}

async fn click(rfb: &mut Rfb, at: (u16, u16), button: u8, times: u8) -> Result<(), DesktopError> {
    rfb.point(at, rfb.buttons()).await?;
    for time in 0..times {
        if time > 0 {
            tokio::time::sleep(CLICK_PAUSE).await;
        }
        rfb.point(at, rfb.buttons() | button).await?;
        rfb.point(at, rfb.buttons() & !button).await?;
    }
    Ok(())
}

async fn drag(rfb: &mut Rfb, from: (u16, u16), to: (u16, u16)) -> Result<(), DesktopError> {
    rfb.point(from, rfb.buttons()).await?;
    rfb.point(from, rfb.buttons() | LEFT).await?;
    let between = |from: u16, to: u16, step: i64| {
        let (from, to) = (i64::from(from), i64::from(to));
        // Between two numbers of this type.
        u16::try_from(from + (to - from) * step / DRAG_STEPS).unwrap_or_default()
    };
    for step in 1..=DRAG_STEPS {
        let at = (between(from.0, to.0, step), between(from.1, to.1, step));
        rfb.point(at, rfb.buttons()).await?;
    }
    rfb.point(to, rfb.buttons() & !LEFT).await?;
    Ok(())
}

async fn screenshot(
    rfb: &mut Rfb,
    geometry: Geometry,
) -> Result<DesktopActionResponse, DesktopError> {
    let picture = rfb.screen().await?;
    let (width, height) = geometry.seen;
    let sides = (
        usize::try_from(width).unwrap_or(picture.width),
        usize::try_from(height).unwrap_or(picture.height),
    );
    // Millions of pixels: not on the threads that serve connections.
    let packed = tokio::task::spawn_blocking(move || {
        let png = picture.scaled(sides.0, sides.1).png()?;
        Ok::<_, std::io::Error>(base64::engine::general_purpose::STANDARD.encode(png))
    });
    let data = packed.await.map_err(std::io::Error::other)??;
    Ok(DesktopActionResponse {
        output: "screenshot".into(),
        screenshot_data: data,
        screenshot_width: width,
        screenshot_height: height,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_scaled_to_the_middle_of_what_is_meant() {
        let action = DesktopAction {
            scaled_width: Some(1280),
            scaled_height: Some(720),
            ..DesktopAction::default()
        };
        let geometry = Geometry::new(&action, (1920, 1080)).unwrap();
        assert_eq!(geometry.real([0, 0]), (0, 0));
        assert_eq!(geometry.real([640, 360]), (960, 540));
        assert_eq!(geometry.real([1279, 719]), (1919, 1079));
        assert_eq!(geometry.real([5000, -3]), (1919, 0), "kept on the screen");
        for at in [[0, 0], [17, 300], [1279, 719]] {
            let (x, y) = geometry.seen(geometry.real(at));
            assert_eq!([x, y], at);
        }
        let plain = Geometry::new(&DesktopAction::default(), (1920, 1080)).unwrap();
        assert_eq!(plain.real([1919, 5]), (1919, 5));
        let huge = DesktopAction {
            scaled_width: Some(1 << 40),
            ..action
        };
        assert!(Geometry::new(&huge, (1920, 1080)).is_err());
    }
}
