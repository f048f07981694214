//! What an image file says of itself: type and size, from its first bytes.
//!
//! Must not decode pixels. Sources: <https://www.w3.org/TR/png-3/#11IHDR>, <https://www.w3.org/Graphics/GIF/spec-gif89a.txt> §18,
//! <https://www.w3.org/Graphics/JPEG/itu-t81.pdf> B.2.2.

/// An image's type, as the vendor's `MimeType` spells it, and its width and height.
pub(super) fn describe(bytes: &[u8]) -> Option<(&'static str, u32, u32)> {
    png(bytes).or_else(|| gif(bytes)).or_else(|| jpeg(bytes))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn png(bytes: &[u8]) -> Option<(&'static str, u32, u32)> {
    let header = bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.get(12..16) == Some(b"IHDR");
    header.then_some(())?;
    Some(("IMAGE_PNG", be32(bytes, 16)?, be32(bytes, 20)?))
}

fn gif(bytes: &[u8]) -> Option<(&'static str, u32, u32)> {
    (bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a")).then_some(())?;
    Some(("IMAGE_GIF", le16(bytes, 6)?, le16(bytes, 8)?))
}

fn jpeg(bytes: &[u8]) -> Option<(&'static str, u32, u32)> {
    bytes.starts_with(&[0xFF, 0xD8]).then_some(())?;
    let mut at = 2;
    loop {
        let (mark, kind) = (*bytes.get(at)?, *bytes.get(at + 1)?);
        if mark != 0xFF {
            return None;
        }
        // A frame header: any SOF but the markers DHT, JPG and DAC that lie between them.
        if matches!(kind, 0xC0..=0xCF) && !matches!(kind, 0xC4 | 0xC8 | 0xCC) {
            return Some(("IMAGE_JPEG", be16(bytes, at + 7)?, be16(bytes, at + 5)?));
        }
        at += 2;
        if kind != 0xFF && !matches!(kind, 0x01 | 0xD0..=0xD8) {
            at += usize::try_from(be16(bytes, at)?).ok()?.max(2);
        } else if kind == 0xFF {
            at -= 1;
        }
    }
}

/// The smallest PNG file of a size: a header is all that is looked at.
#[cfg(test)]
pub(super) fn tiny_png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_formats_are_read_and_nothing_else() {
        assert_eq!(describe(&tiny_png(1200, 628)), Some(("IMAGE_PNG", 1200, 628)));
        let gif = [b"GIF89a".as_slice(), &[0x2C, 0x01, 0xFA, 0x00]].concat();
        assert_eq!(describe(&gif), Some(("IMAGE_GIF", 300, 250)));
        // SOI, an APP0 of 4 bytes, a padding byte, SOF0 of 480 × 600.
        let jpeg = [
            0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xFF, 0xC0, 0, 17, 8, 0x02, 0x58, 0x01, 0xE0,
        ];
        assert_eq!(describe(&jpeg), Some(("IMAGE_JPEG", 480, 600)));
        for bad in [
            b"".as_slice(),
            b"RIFF....WEBP",
            b"\xFF\xD8\xFF",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a\x01",
        ] {
            assert_eq!(describe(bad), None, "{bad:?}");
        }
    }
}
