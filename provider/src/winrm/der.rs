//! The little of DER that certificates and Kerberos messages need: one element at a time, read and written.

pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OBJECT_IDENTIFIER: u8 = 0x06;
pub const GENERALIZED_TIME: u8 = 0x18;
pub const GENERAL_STRING: u8 = 0x1b;
pub const SEQUENCE: u8 = 0x30;

/// The tag of the field with this number in a sequence with explicit tags.
pub const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The tag of an application's message.
pub const fn application(number: u8) -> u8 {
    0x60 | number
}

/// Contents of an element with the given tag, and what follows it.
pub fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any(input)?;
    (found == tag).then_some((content, rest))
}

/// Contents of the field with this number among the fields of a sequence, whichever stand before it.
pub fn field(mut fields: &[u8], number: u8) -> Option<&[u8]> {
    while let Some((tag, content, rest)) = any(fields) {
        if tag == context(number) {
            return Some(content);
        }
        fields = rest;
    }
    None
}

/// Contents of the element with this tag in the field with this number.
pub fn field_of(fields: &[u8], number: u8, tag: u8) -> Option<&[u8]> {
    element(field(fields, number)?, tag).map(|(content, _)| content)
}

/// The number that the contents of an INTEGER stand for.
pub fn number(content: &[u8]) -> Option<i64> {
    let first = *content.first().filter(|_| content.len() <= 8)?;
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    Some(content.iter().fold(sign, |number, byte| (number << 8) | i64::from(*byte)))
}

/// An element.
pub fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = content.len();
    match u8::try_from(length).ok().filter(|length| *length < 0x80) {
        Some(length) => bytes.push(length),
        None => {
            let length = length.to_be_bytes();
            let first = length.iter().position(|byte| *byte != 0).unwrap_or(length.len());
            let significant = &length[first..];
            bytes.push(0x80 | u8::try_from(significant.len()).unwrap_or(0x7f));
            bytes.extend(significant);
        }
    }
    bytes.extend(content);
    bytes
}

/// A sequence of fields with explicit tags.
pub fn fields(fields: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let content: Vec<u8> = fields.iter().flat_map(|(number, content)| write(context(*number), content)).collect();
    write(SEQUENCE, &content)
}

/// An INTEGER in as few bytes as it takes.
pub fn integer(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let spare = |index: &usize| {
        let sign = bytes[*index + 1] & 0x80 != 0;
        bytes[*index] == if sign { 0xff } else { 0 }
    };
    let first = (0..bytes.len() - 1).take_while(spare).count();
    write(INTEGER, &bytes[first..])
}

/// One element: tag, contents, and what follows.
fn any(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&length, mut rest) = rest.split_first()?;
    let length = if length < 0x80 {
        usize::from(length)
    } else {
        let (bytes, after) = rest.split_at_checked(usize::from(length & 0x7f))?;
        rest = after;
        if bytes.len() > 4 {
            return None;
        }
        bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
    };
    rest.split_at_checked(length).map(|(content, rest)| (tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1_0000] {
            let content = vec![7; length];
            let mut bytes = write(OCTET_STRING, &content);
            bytes.push(9);
            assert_eq!(element(&bytes, OCTET_STRING), Some((content.as_slice(), [9].as_slice())), "{length}");
            assert_eq!(element(&bytes, SEQUENCE), None);
        }
    }

    #[track_caller]
    fn check(value: i64, bytes: &[u8]) {
        let written = integer(value);
        assert_eq!(written[2..], *bytes, "{value}");
        assert_eq!(element(&written, INTEGER).and_then(|(content, _)| number(content)), Some(value));
    }

    #[test]
    fn integers_are_as_short_as_can_be() {
        check(0, &[0]);
        check(0x7f, &[0x7f]);
        check(0x80, &[0, 0x80]);
        check(-1, &[0xff]);
        check(-0x80, &[0x80]);
        check(-0x81, &[0xff, 0x7f]);
        check(0x7fff_ffff, &[0x7f, 0xff, 0xff, 0xff]);
        check(i64::MIN, &i64::MIN.to_be_bytes());
        assert_eq!(number(&[]), None);
        assert_eq!(number(&[0; 9]), None);
    }

    #[test]
    fn finds_fields_by_number() {
        let sequence = fields(&[(1, integer(11)), (6, write(OCTET_STRING, b"x"))]);
        let (content, _) = element(&sequence, SEQUENCE).expect("a sequence");
        assert_eq!(field_of(content, 1, INTEGER).and_then(number), Some(11));
        assert_eq!(field_of(content, 6, OCTET_STRING), Some(b"x".as_slice()));
        assert_eq!(field_of(content, 6, INTEGER), None);
        assert_eq!(field(content, 2), None);
    }

    #[test]
    fn refuses_lengths_beyond_the_end() {
        let bytes = write(SEQUENCE, &[5; 300]);
        for end in 0..bytes.len() {
            assert_eq!(element(&bytes[..end], SEQUENCE), None, "{end}");
        }
        assert_eq!(element(&[SEQUENCE, 0x85, 0, 0, 0, 0, 0], SEQUENCE), None);
        assert_eq!(element(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff], SEQUENCE), None);
    }
}
