//! The smallest files that are what they claim to be: a PNG and an MP4 of a given size, always the same for the same text.
//!
//! Must not depend on an image library: nobody looks at the pictures, uploads only read their headers.

/// A black PNG with the text in it (https://www.w3.org/TR/png-3/).
pub(super) fn png(width: u32, height: u32, text: &str) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // One bit per pixel, greyscale, the only methods there are, not interlaced.
    header.extend([1, 0, 0, 0, 0]);
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"tEXt", format!("Comment\0{text}").as_bytes());
    // Each row begins with its filter: none.
    let row = u64::from(width.div_ceil(8)) + 1;
    chunk(&mut file, b"IDAT", &zeros(row * u64::from(height)));
    chunk(&mut file, b"IEND", b"");
    file
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    let body = [kind.as_slice(), data].concat();
    file.extend(&body);
    file.extend(crc32(&body).to_be_bytes());
}

/// The CRC of PNG (its annex D).
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        }
    }
    !crc
}

/// So many zero bytes as a zlib stream (RFC 1950, 1951): one block with the fixed codes; each repeat of 258 zeros takes
/// 13 bits.
fn zeros(count: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put_reversed(0b1, 1); // the last block
    bits.put_reversed(0b10, 2); // of the fixed kind (01, low bit first)
    let mut left = count;
    if left > 0 {
        bits.put_reversed(0b0011_0000, 8); // a zero byte
        left -= 1;
    }
    for _ in 0..left / 258 {
        bits.put_reversed(0b1100_0101, 8); // length 258
        bits.put_reversed(0, 5); // from one byte back
    }
    for _ in 0..left % 258 {
        bits.put_reversed(0b0011_0000, 8);
    }
    bits.put_reversed(0, 7); // the end
    let mut stream = vec![0x78, 0x01];
    stream.extend(bits.bytes);
    // Adler-32 of zeros: the first sum stays 1, the second counts.
    let second = u32::try_from(count % 65_521).unwrap_or(0);
    stream.extend((second << 16 | 1).to_be_bytes());
    stream
}

/// Bits into bytes, from the lowest bit on.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    /// Codes are packed from their highest bit on.
    fn put_reversed(&mut self, code: u32, length: u32) {
        for place in (0..length).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from(code >> place & 1 == 1) << (self.used % 8);
            }
            self.used += 1;
        }
    }
}

/// An MP4 with a header that tells the size and nothing to play (ISO/IEC 14496-12).
pub(super) fn mp4(width: u32, height: u32, text: &str) -> Vec<u8> {
    let unity: Vec<u8> = [0x1_0000_u32, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]
        .iter()
        .flat_map(|n| n.to_be_bytes())
        .collect();
    let mut movie = vec![0; 12];
    movie.extend(1000_u32.to_be_bytes()); // ticks a second
    movie.extend(15_000_u32.to_be_bytes()); // fifteen seconds
    movie.extend(0x1_0000_u32.to_be_bytes());
    movie.extend(0x100_u16.to_be_bytes());
    movie.extend([0; 10]);
    movie.extend(&unity);
    movie.extend([0; 24]);
    movie.extend(2_u32.to_be_bytes());
    let mut track = vec![0, 0, 0, 7];
    track.extend([0; 8]);
    track.extend(1_u32.to_be_bytes());
    track.extend([0; 4]);
    track.extend(15_000_u32.to_be_bytes());
    track.extend([0; 16]);
    track.extend(&unity);
    track.extend((width << 16).to_be_bytes());
    track.extend((height << 16).to_be_bytes());
    let inner = [atom(b"mvhd", &movie), atom(b"trak", &atom(b"tkhd", &track))].concat();
    [
        atom(b"ftyp", b"isom\0\0\x02\0isomiso2mp41"),
        atom(b"moov", &inner),
        atom(b"mdat", text.as_bytes()),
    ]
    .concat()
}

fn atom(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len() + 8).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), kind, data].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_is_one() {
        let file = png(300, 250, "acme/a");
        assert_eq!(file[16..24], [0, 0, 1, 44, 0, 0, 0, 250]);
        // The check value of the CRC, and the empty chunk that ends every PNG.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert!(file.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
        assert_ne!(file, png(300, 250, "acme/b"));
        assert!(png(10_000, 10_000, "large").len() < 100_000);
    }

    #[test]
    fn an_mp4_tells_its_size() {
        let file = mp4(1080, 1920, "acme/v");
        let at = file.windows(4).position(|w| w == b"tkhd").unwrap();
        assert_eq!(file[at + 80..at + 88], [4, 56, 0, 0, 7, 128, 0, 0]);
    }
}
