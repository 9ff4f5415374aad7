//! Terminal modes as SSH encodes them (RFC 4254 section 8), applied to ours.
//! Modes that Linux does not have are skipped.

use nix::sys::termios::{
    ControlFlags, InputFlags, LocalFlags, OutputFlags, SpecialCharacterIndices as Char, Termios,
};

/// Applies `modes` to `settings`. Ends at the first opcode without a known
/// argument, as the RFC demands.
pub fn apply(settings: &mut Termios, modes: &[u8]) {
    let mut rest = modes;
    while let [opcode @ 1..=159, a, b, c, d, tail @ ..] = rest {
        apply_one(settings, *opcode, u32::from_be_bytes([*a, *b, *c, *d]));
        rest = tail;
    }
}

fn apply_one(settings: &mut Termios, opcode: u8, value: u32) {
    let on = value != 0;
    if let Some(index) = character(opcode) {
        settings.control_chars[index as usize] = value as u8;
    } else if let Some(flag) = input(opcode) {
        settings.input_flags.set(flag, on);
    } else if let Some(flag) = local(opcode) {
        settings.local_flags.set(flag, on);
    } else if let Some(flag) = output(opcode) {
        settings.output_flags.set(flag, on);
    } else if let Some(flag) = control(opcode) {
        settings.control_flags.set(flag, on);
    }
}

fn character(opcode: u8) -> Option<Char> {
    Some(match opcode {
        1 => Char::VINTR,
        2 => Char::VQUIT,
        3 => Char::VERASE,
        4 => Char::VKILL,
        5 => Char::VEOF,
        6 => Char::VEOL,
        7 => Char::VEOL2,
        8 => Char::VSTART,
        9 => Char::VSTOP,
        10 => Char::VSUSP,
        12 => Char::VREPRINT,
        13 => Char::VWERASE,
        14 => Char::VLNEXT,
        18 => Char::VDISCARD,
        _ => return None,
    })
}

fn input(opcode: u8) -> Option<InputFlags> {
    Some(match opcode {
        30 => InputFlags::IGNPAR,
        31 => InputFlags::PARMRK,
        32 => InputFlags::INPCK,
        33 => InputFlags::ISTRIP,
        34 => InputFlags::INLCR,
        35 => InputFlags::IGNCR,
        36 => InputFlags::ICRNL,
        38 => InputFlags::IXON,
        39 => InputFlags::IXANY,
        40 => InputFlags::IXOFF,
        41 => InputFlags::IMAXBEL,
        42 => InputFlags::IUTF8,
        _ => return None,
    })
}

fn local(opcode: u8) -> Option<LocalFlags> {
    Some(match opcode {
        50 => LocalFlags::ISIG,
        51 => LocalFlags::ICANON,
        53 => LocalFlags::ECHO,
        54 => LocalFlags::ECHOE,
        55 => LocalFlags::ECHOK,
        56 => LocalFlags::ECHONL,
        57 => LocalFlags::NOFLSH,
        58 => LocalFlags::TOSTOP,
        59 => LocalFlags::IEXTEN,
        60 => LocalFlags::ECHOCTL,
        61 => LocalFlags::ECHOKE,
        62 => LocalFlags::PENDIN,
        _ => return None,
    })
}

fn output(opcode: u8) -> Option<OutputFlags> {
    Some(match opcode {
        70 => OutputFlags::OPOST,
        72 => OutputFlags::ONLCR,
        73 => OutputFlags::OCRNL,
        74 => OutputFlags::ONOCR,
        75 => OutputFlags::ONLRET,
        _ => return None,
    })
}

fn control(opcode: u8) -> Option<ControlFlags> {
    Some(match opcode {
        92 => ControlFlags::PARENB,
        93 => ControlFlags::PARODD,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pty::{Pty, Size};

    fn applied(modes: &[u8]) -> Termios {
        let pty = Pty::open(Size::new(80, 24)).unwrap();
        let mut settings = None;
        pty.configure(|s| {
            apply(s, modes);
            settings = Some(s.clone());
        })
        .unwrap();
        settings.unwrap()
    }

    #[test]
    fn echo_can_be_turned_off_and_characters_set() {
        let settings = applied(&[53, 0, 0, 0, 0, 3, 0, 0, 0, 8, 0]);
        assert!(!settings.local_flags.contains(LocalFlags::ECHO));
        assert_eq!(settings.control_chars[Char::VERASE as usize], 8);
    }

    #[test]
    fn broken_encodings_change_nothing() {
        let plain = applied(&[]);
        for modes in [
            &[53, 0, 0][..],
            &[200, 0, 0, 0, 0, 53, 0, 0, 0, 0],
            &[0, 53, 0, 0, 0, 0],
        ] {
            assert_eq!(applied(modes).local_flags, plain.local_flags, "{modes:?}");
        }
    }
}
