//! [`Value`] to MessagePack.
//!
//! The value must conform to its schema (see [`crate::tf::conform`]); given that, the wire form follows from the
//! value alone, and equal values become equal bytes, which plans in two processes rely on.

use rmpv::Value as Wire;

use crate::rpc::generated::tfplugin6::DynamicValue;
use crate::tf::value::{Number, Value};

/// The value as the client expects it.
pub fn encode(value: Value) -> DynamicValue {
    let mut msgpack = Vec::new();
    rmpv::encode::write_value(&mut msgpack, &wire(value)).expect("writing to memory cannot fail");
    DynamicValue { msgpack, json: Vec::new() }
}

fn wire(value: Value) -> Wire {
    match value {
        Value::Null => Wire::Nil,
        // Without refinements: whoever promises one must keep it at apply.
        Value::Unknown => Wire::Ext(0, vec![0]),
        Value::Bool(value) => Wire::Boolean(value),
        Value::Number(Number::Integer(number)) => Wire::from(number),
        Value::Number(Number::Unsigned(number)) => Wire::from(number),
        Value::Number(Number::Float(number)) => Wire::F64(number),
        Value::Number(Number::Decimal(text)) => Wire::from(text),
        Value::String(text) => Wire::from(text),
        Value::List(items) => Wire::Array(items.into_iter().map(wire).collect()),
        Value::Map(entries) => {
            Wire::Map(entries.into_iter().map(|(key, item)| (Wire::from(key), wire(item))).collect())
        }
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "calls of a check read better without borrows")]
mod tests {
    use super::*;
    use crate::rpc::decode::decode;
    use crate::tf::schema::{Attribute, Kind, Schema};

    fn schema() -> Schema {
        let nested = || vec![Attribute::optional("name", Kind::String, "A name.")];
        Schema {
            version: 0,
            description: "A test.",
            attributes: vec![
                Attribute::optional("flag", Kind::Bool, "A flag."),
                Attribute::optional("number", Kind::Number, "A number."),
                Attribute::optional("text", Kind::String, "A text."),
                Attribute::optional("strings", Kind::strings(), "Texts."),
                Attribute::optional("map", Kind::string_map(), "A map."),
                Attribute::optional("one", Kind::Object(nested()), "One."),
                Attribute::optional("list", Kind::ObjectList(nested()), "A list."),
                Attribute::optional("objects", Kind::ObjectMap(nested()), "A map of objects."),
            ],
        }
    }

    fn with(name: &str, value: Wire) -> DynamicValue {
        let names = ["flag", "number", "text", "strings", "map", "one", "list", "objects"];
        let entry = |key: &str| (Wire::from(key), if key == name { value.clone() } else { Wire::Nil });
        bytes(&Wire::Map(names.map(entry).into()))
    }

    fn bytes(value: &Wire) -> DynamicValue {
        let mut msgpack = Vec::new();
        rmpv::encode::write_value(&mut msgpack, value).unwrap();
        DynamicValue { msgpack, json: Vec::new() }
    }

    /// What came in goes out again, bit by bit apart from the order of keys.
    #[track_caller]
    fn check_echo(name: &str, value: Wire) {
        let sent = with(name, value.clone());
        let decoded = decode(&schema(), Some(&sent)).unwrap();
        let echoed = encode(decoded);
        let mut bytes = echoed.msgpack.as_slice();
        let Wire::Map(entries) = rmpv::decode::read_value(&mut bytes).unwrap() else { panic!("no map") };
        let (_, echoed) = entries.into_iter().find(|(key, _)| key.as_str() == Some(name)).unwrap();
        assert_eq!(echoed, value);
    }

    #[track_caller]
    fn check_refused(wire: &DynamicValue, path: &str, problem: &str) {
        let error = decode(&schema(), Some(wire)).unwrap_err();
        assert_eq!((error.path.to_string().as_str(), error.problem.as_str()), (path, problem));
    }

    fn object(key: &str, value: Wire) -> Wire {
        Wire::Map(vec![(Wire::from(key), value)])
    }

    #[test]
    fn numbers_lose_nothing() {
        check_echo("number", Wire::from(0));
        check_echo("number", Wire::from(-1));
        check_echo("number", Wire::from(i64::MIN));
        check_echo("number", Wire::from(u64::MAX));
        check_echo("number", Wire::F64(1.5));
        check_echo("number", Wire::F64(-0.0));
        check_echo("number", Wire::F64(f64::INFINITY));
        for decimal in ["0.1", "1e400", "9223372036854775808.5", "12345678901234567890", "-0.0000000000000000001"] {
            check_echo("number", Wire::from(decimal));
        }
        check_refused(
            &with("number", Wire::F64(f64::NAN)),
            "number",
            "expected a number, found text or a float that is none",
        );
        check_refused(
            &with("number", Wire::from("many")),
            "number",
            "expected a number, found text or a float that is none",
        );
    }

    #[test]
    fn every_shape_is_echoed() {
        check_echo("flag", Wire::Boolean(true));
        check_echo("text", Wire::from("e\u{301} ' \" $( ` \n"));
        check_echo("strings", Wire::Array(vec![]));
        check_echo("strings", Wire::Array(vec![Wire::from("a"), Wire::Nil]));
        check_echo("map", object("k", Wire::from("v")));
        check_echo("one", object("name", Wire::Nil));
        check_echo("list", Wire::Array(vec![object("name", Wire::from("a"))]));
        check_echo("objects", object("k", object("name", Wire::from("a"))));
        assert_eq!(decode(&schema(), Some(&bytes(&Wire::Nil))), Ok(Value::Null));
        assert_eq!(decode(&schema(), Some(&DynamicValue::default())), Ok(Value::Null));
        assert_eq!(decode(&schema(), None), Ok(Value::Null));
        assert_eq!(encode(Value::Null).msgpack, [0xc0]);
    }

    #[test]
    fn every_extension_is_unknown_at_any_depth() {
        let refined = Wire::Ext(12, vec![0x81, 0x01, 0xc2]);
        for unknown in [Wire::Ext(0, vec![0]), Wire::Ext(0, vec![]), refined, Wire::Ext(99, vec![1, 2, 3])] {
            for name in ["flag", "number", "text", "strings", "map", "one", "list", "objects"] {
                let value = decode(&schema(), Some(&with(name, unknown.clone()))).unwrap();
                assert_eq!(*value.attribute(name), Value::Unknown);
            }
            let nested = with("list", Wire::Array(vec![object("name", unknown.clone())]));
            let value = decode(&schema(), Some(&nested)).unwrap();
            assert_eq!(*value.attribute("list").as_list().unwrap()[0].attribute("name"), Value::Unknown);
        }
        assert_eq!(encode(Value::Unknown).msgpack, [0xd4, 0x00, 0x00]);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_path() {
        check_refused(&with("text", Wire::Binary(vec![1])), "text", "expected a string, found bytes");
        check_refused(&with("flag", Wire::from(1)), "flag", "expected a bool, found a number");
        check_refused(
            &with("strings", Wire::Array(vec![Wire::from("a"), Wire::from(2)])),
            "strings[1]",
            "expected a string, found a number",
        );
        let dynamic = Wire::Array(vec![Wire::Binary(br#""string""#.to_vec()), Wire::from("x")]);
        check_refused(&with("text", dynamic), "text", "expected a string, found a list");
        check_refused(
            &with("map", Wire::Map(vec![(Wire::Nil, Wire::Nil)])),
            "map",
            "expected a string as key, found null",
        );
        check_refused(&with("map", object("k", Wire::from(1))), "map[\"k\"]", "expected a string, found a number");
        check_refused(&with("one", object("nmae", Wire::Nil)), "one", "the schema has no attribute \"nmae\"");
        check_refused(
            &with("objects", object("k", Wire::Map(vec![]))),
            "objects[\"k\"]",
            "the attribute \"name\" is missing",
        );
        let twice = Wire::Map(vec![(Wire::from("k"), Wire::Nil), (Wire::from("k"), Wire::Nil)]);
        check_refused(&with("map", twice), "map[\"k\"]", "the key comes twice");
        let not_utf8 = DynamicValue { msgpack: vec![0x81, 0xa1, 0xff, 0xc0], json: Vec::new() };
        check_refused(&not_utf8, "", "a key is no UTF-8");
    }

    #[test]
    fn broken_bytes_are_refused_without_a_panic() {
        let whole =
            encode(decode(&schema(), Some(&with("list", Wire::Array(vec![object("name", Wire::from("a"))])))).unwrap());
        for length in 1..whole.msgpack.len() {
            let cut = DynamicValue { msgpack: whole.msgpack[..length].to_vec(), json: Vec::new() };
            assert!(decode(&schema(), Some(&cut)).is_err(), "{length} bytes");
        }
        let longer = DynamicValue { msgpack: [whole.msgpack.as_slice(), &[0xc0]].concat(), json: Vec::new() };
        check_refused(&longer, "", "1 bytes follow the value");
        let deep = DynamicValue { msgpack: vec![0x91; 100_000], json: Vec::new() };
        assert!(decode(&schema(), Some(&deep)).is_err());
        let huge = DynamicValue { msgpack: vec![0xdd, 0xff, 0xff, 0xff, 0xff], json: Vec::new() };
        assert!(decode(&schema(), Some(&huge)).is_err());
    }

    /// Bytes from a generator with a fixed start, and sound bytes with one of them changed: an error or a value that can
    /// be encoded again, never a panic.
    #[test]
    fn arbitrary_bytes_never_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let host = object("name", Wire::from("a"));
        let sound = with("list", Wire::Array(vec![host.clone(), Wire::Ext(12, vec![0x81, 0x01, 0xc2]), host])).msgpack;
        let mut decoded = 0;
        for _ in 0..20_000 {
            let noise = (0..next() % 40).map(|_| next().to_le_bytes()[0]).collect();
            let mut changed = sound.clone();
            let position = usize::try_from(next()).unwrap() % changed.len();
            changed[position] = next().to_le_bytes()[0];
            for msgpack in [noise, changed] {
                let wire = DynamicValue { msgpack, json: Vec::new() };
                if let Ok(value) = decode(&schema(), Some(&wire)) {
                    decoded += 1;
                    assert_eq!(decode(&schema(), Some(&encode(value.clone()))), Ok(value));
                }
            }
        }
        assert!(decoded > 100, "the generator reaches sound values too");
    }
}
