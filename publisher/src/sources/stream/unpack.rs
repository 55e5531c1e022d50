//! From a binary frame to JSON text: as it stands, inflated, or a protobuf message as an object whose keys are the numbers
//! of its fields.
//!
//! What comes out is bounded like any other message, whatever went in: a frame that inflates beyond that is refused
//! before it is whole. Of protobuf only the wire format is known, <https://protobuf.dev/programming-guides/encoding/>;
//! which of the fields are messages themselves is the preset's to say.

use crate::sources::preset::Encoding;
use flate2::read::GzDecoder;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Read;

/// Why a frame holds no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unpackable {
    /// It is larger than the limit when it is unpacked.
    TooLarge,
    /// It is not packed as the venue says.
    Malformed,
}

pub(super) fn unpack<'a>(
    encoding: &Encoding,
    frame: &'a [u8],
    max_bytes: usize,
) -> Result<Cow<'a, [u8]>, Unpackable> {
    match encoding {
        Encoding::Plain => Ok(Cow::Borrowed(frame)),
        Encoding::Gzip => inflate(frame, max_bytes).map(Cow::Owned),
        Encoding::Protobuf { messages } => {
            let mut json = String::new();
            fields(frame, "", messages, &mut json).ok_or(Unpackable::Malformed)?;
            if json.len() > max_bytes { Err(Unpackable::TooLarge) } else { Ok(Cow::Owned(json.into_bytes())) }
        }
    }
}

fn inflate(frame: &[u8], max_bytes: usize) -> Result<Vec<u8>, Unpackable> {
    let bound = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = Vec::new();
    let read = GzDecoder::new(frame).take(bound).read_to_end(&mut text);
    match read {
        _ if text.len() > max_bytes => Err(Unpackable::TooLarge),
        Ok(_) => Ok(text),
        Err(_) => Err(Unpackable::Malformed),
    }
}

/// Writes the fields of a message. `at` is the path of the message in the frame, with a dot at its end; only messages
/// that are named have fields, so the frame decides nothing about the depth.
fn fields(mut bytes: &[u8], at: &str, messages: &[String], json: &mut String) -> Option<()> {
    json.push('{');
    let mut is_first = true;
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0)?;
        let comma = if std::mem::take(&mut is_first) { "" } else { "," };
        write!(json, "{comma}\"{number}\":").ok()?;
        match tag & 7 {
            0 => write!(json, "{}", varint(&mut bytes)?).ok()?,
            1 => write!(json, "{}", u64::from_le_bytes(*take(&mut bytes)?)).ok()?,
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                let path = format!("{at}{number}");
                if messages.contains(&path) {
                    fields(value, &format!("{path}."), messages, json)?;
                } else {
                    // Bytes that are no text mean nothing to anybody here.
                    let text = std::str::from_utf8(value).ok();
                    json.push_str(&serde_json::to_string(&text).ok()?);
                }
            }
            5 => write!(json, "{}", u32::from_le_bytes(*take(&mut bytes)?)).ok()?,
            // Groups are older than the format's third version, and the other two do not exist.
            _ => return None,
        }
    }
    json.push('}');
    Some(())
}

/// Seven bits a byte, the lowest first, at most 64 in all.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = *take(bytes)?;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use std::io::Write as _;

    const MAX: usize = 4096;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn protobuf(frame: &[u8]) -> Result<String, Unpackable> {
        let encoding = Encoding::Protobuf { messages: vec!["2".into(), "2.1".into()] };
        unpack(&encoding, frame, MAX).map(|json| String::from_utf8(json.into_owned()).unwrap())
    }

    /// Without this a frame of a few kilobytes takes the memory of the process.
    #[test]
    fn f51_a_frame_that_inflates_without_end_is_refused_before_it_is_whole() {
        let text = br#"{"ping":1492420473027}"#;
        assert_eq!(unpack(&Encoding::Gzip, &gzip(text), MAX).unwrap(), text.as_slice());
        assert_eq!(unpack(&Encoding::Gzip, &gzip(&[b' '; MAX]), MAX).unwrap().len(), MAX);
        let bomb = gzip(&vec![b' '; 16 << 20]);
        assert!(bomb.len() < 32 << 10);
        assert_eq!(unpack(&Encoding::Gzip, &bomb, MAX), Err(Unpackable::TooLarge));
        for damaged in [&b"{}"[..], b"", &[0x1f, 0x8b], &gzip(text)[..20]] {
            assert_eq!(unpack(&Encoding::Gzip, damaged, MAX), Err(Unpackable::Malformed));
        }
    }

    /// The vectors of the format's own description, and what may not be.
    #[test]
    fn protobuf_becomes_an_object_with_numbers_as_keys() {
        for (frame, json) in [
            (&[0x08, 0x96, 0x01][..], r#"{"1":150}"#),
            (&[0x12, 0x07, 0x0a, 0x05, 0x12, 0x03, b'a', b'"', b'b'], r#"{"2":{"1":{"2":"a\"b"}}}"#),
            (&[0x1a, 0x03, 0x08, 0x96, 0x01], "{\"3\":null}"),
            (&[0x1a, 0x00, 0x25, 1, 0, 0, 0, 0x29, 2, 0, 0, 0, 0, 0, 0, 0], r#"{"3":"","4":1,"5":2}"#),
            (
                &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                r#"{"1":18446744073709551615}"#,
            ),
            (&[], "{}"),
        ] {
            assert_eq!(protobuf(frame).as_deref(), Ok(json));
        }
        for bad in [
            &[0x08][..],
            &[0x08, 0x96],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
            &[0x00, 0x00],
            &[0x1a, 0x02, b'a'],
            &[0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x0b, 0x0c],
            &[0x29, 1, 2, 3],
            &[0x12, 0x01, 0x08],
        ] {
            assert_eq!(protobuf(bad), Err(Unpackable::Malformed), "{bad:?}");
        }
        let long = [&[0x1a, 0x80, 0x20][..], &[b'a'; MAX]].concat();
        assert_eq!(protobuf(&long), Err(Unpackable::TooLarge));
    }

    const GOOD: &[u8] =
        &[0x0a, 3, b'a', b'b', b'c', 0x12, 7, 0x0a, 5, 0x12, 3, b'x', b'y', b'z', 0x18, 0x96, 1];

    proptest! {
        /// Whatever is damaged, the end is an object or a refusal.
        #[test]
        fn f51_damaged_protobuf_is_read_or_refused(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 1..6),
        ) {
            let mut frame = GOOD.repeat(3);
            for (at, byte, kind) in damage {
                let at = at.index(frame.len());
                match kind {
                    0 => frame[at] = byte,
                    1 => frame.insert(at, byte),
                    _ => frame.truncate(at.max(1)),
                }
            }
            if let Ok(json) = protobuf(&frame) {
                let read: Result<Box<RawValue>, _> = serde_json::from_str(&json);
                prop_assert!(read.is_ok(), "{:?} became {}", frame, json);
            }
        }
    }
}
