//! Pictures of the screen: scaled to what a model sees, and written as PNG (ISO/IEC 15948).

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// Pixels, three bytes each (red, green, blue), row after row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<u8>,
}

impl Picture {
    /// The same picture in another size: the mean of what falls together when it becomes smaller,
    /// the nearest pixel when it grows.
    pub(super) fn scaled(&self, width: usize, height: usize) -> Picture {
        if (width, height) == (self.width, self.height) || self.rgb.is_empty() {
            return self.clone();
        }
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            let rows = span(y, height, self.height);
            for x in 0..width {
                let columns = span(x, width, self.width);
                let mut sum = [0usize; 3];
                for row in rows.clone() {
                    let from = (row * self.width + columns.start) * 3;
                    for pixel in self.rgb[from..from + columns.len() * 3].chunks_exact(3) {
                        for (sum, byte) in sum.iter_mut().zip(pixel) {
                            *sum += usize::from(*byte);
                        }
                    }
                }
                let count = rows.len() * columns.len();
                // A mean of bytes is a byte.
                rgb.extend(sum.map(|sum| u8::try_from(sum / count).unwrap_or(u8::MAX)));
            }
        }
        Picture { width, height, rgb }
    }

    /// As PNG. Each row is told by its difference to the one above: screens are mostly flat.
    pub(super) fn png(&self) -> std::io::Result<Vec<u8>> {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        let stride = self.width * 3;
        let mut above = vec![0; stride];
        let mut line = vec![0; stride + 1];
        for row in self.rgb.chunks_exact(stride) {
            line[0] = 2;
            for ((out, byte), up) in line[1..].iter_mut().zip(row).zip(&above) {
                *out = byte.wrapping_sub(*up);
            }
            packed.write_all(&line)?;
            above.copy_from_slice(row);
        }
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut head = Vec::new();
        for side in [self.width, self.height] {
            // The protocol of screens counts in 16 bits.
            head.extend(u32::try_from(side).unwrap_or(0).to_be_bytes());
        }
        // Eight bits each of red, green and blue, nothing interlaced.
        head.extend([8, 2, 0, 0, 0]);
        chunk(&mut png, *b"IHDR", &head);
        chunk(&mut png, *b"IDAT", &packed.finish()?);
        chunk(&mut png, *b"IEND", &[]);
        Ok(png)
    }
}

/// Which of `from` pixels become the pixel `at` of `to`: at least one.
fn span(at: usize, to: usize, from: usize) -> std::ops::Range<usize> {
    let start = (at * from / to).min(from - 1);
    let end = ((at + 1) * from / to).clamp(start + 1, from);
    start..end
}

fn chunk(png: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    png.extend(u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
    png.extend(kind);
    png.extend(data);
    let mut crc = Crc::new();
    crc.update(&kind);
    crc.update(data);
    png.extend(crc.sum().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn chequered(side: usize) -> Picture {
        let pixel = |at: usize| {
            if (at / side + at % side).is_multiple_of(2) {
                0
            } else {
                200
            }
        };
        Picture {
            width: side,
            height: side,
            rgb: (0..side * side).flat_map(|at| [pixel(at); 3]).collect(),
        }
    }

    #[test]
    fn smaller_pictures_are_means_and_larger_ones_repeat() {
        let half = chequered(4).scaled(2, 2);
        assert_eq!(half.rgb, vec![100; 12]);
        let twice = chequered(2).scaled(4, 4);
        assert_eq!(
            twice.rgb[..12],
            [0, 0, 0, 0, 0, 0, 200, 200, 200, 200, 200, 200]
        );
        assert_eq!(chequered(3).scaled(3, 3), chequered(3));
        assert_eq!(chequered(5).scaled(3, 2).rgb.len(), 18);
    }

    #[test]
    fn a_png_holds_the_pixels() {
        let picture = chequered(3);
        let png = picture.png().unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(&png[12..16], b"IHDR");
        assert_eq!(png[16..24], [0, 0, 0, 3, 0, 0, 0, 3]);
        let at = png.windows(4).position(|w| w == b"IDAT").unwrap();
        let len = u32::from_be_bytes(png[at - 4..at].try_into().unwrap()) as usize;
        let mut rows = Vec::new();
        let packed = &png[at + 4..at + 4 + len];
        flate2::read::ZlibDecoder::new(packed)
            .read_to_end(&mut rows)
            .unwrap();
        assert_eq!(rows.len(), 3 * 10);
        assert_eq!(rows[..10], [2, 0, 0, 0, 200, 200, 200, 0, 0, 0]);
        assert!(png.ends_with(b"IEND\xae\x42\x60\x82"));
    }
}
