use super::*;

fn fault(hex: &str) -> CborError {
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
    check(&bytes).unwrap_err()
}

#[test]
fn every_non_deterministic_form_is_refused() {
    for hex in [
        "1800",
        "190001",
        "1a00000001",
        "1b0000000000000001", // longer than needed
        "5f41004100ff",
        "9fff",
        "bfff", // indefinite
        "a201000100",
        "a202000100", // duplicate, unsorted
        "61ff",       // not UTF-8
        "f90000",
        "fb0000000000000000",
        "f7",
        "e0",
        "f818", // floats, undefined, simple values
        "c000",
        "d82a00", // tags
        "5a7fffffff00",
        "9bffffffffffffffff",
        "bb0fffffffffffffff", // lengths that lie
        "",
        "18",
        "62c3",
    ] {
        assert!(matches!(fault(hex), CborError::Encoding { .. }), "{hex}");
    }
    assert_eq!(fault("0000"), CborError::Trailing { offset: 1 });
    assert!(matches!(fault("81818181818181818100"), CborError::Depth { .. }));
}

#[test]
fn what_the_writers_write_passes_the_check_and_is_read_back() {
    let bytes = MapWriter::new()
        .uint(1, 70_000u64)
        .int(2, -5)
        .bytes(3, b"abc")
        .text(4, "text")
        .bool(5, true)
        .raw(6, &write::array([write::uint(1), write::null()]))
        .raw(7, &write::text_map([("bb", write::uint(1)), ("a", write::uint(2))]))
        .uint(64, 1u64)
        .finish();
    let mut fields = Fields::parse(&bytes, 1000).unwrap();
    assert_eq!(fields.required(1, read::uint).unwrap(), 70_000);
    assert_eq!(fields.required(2, read::int).unwrap(), -5);
    assert_eq!(fields.required(3, read::bytes).unwrap(), b"abc");
    assert_eq!(fields.required(4, read::text).unwrap(), "text");
    assert!(fields.required(5, read::bool).unwrap());
    assert_eq!(fields.required(6, |raw| read::items(raw, 2)).unwrap().len(), 2);
    assert_eq!(fields.required(7, read::text_map(2, read::uint)).unwrap()[0].0, "a");
    assert_eq!(fields.required(9, read::uint), Err(CborError::Missing { field: 9 }));
    assert_eq!(fields.required(4, read::uint), Err(CborError::Value { field: 4 }));
    fields.finish().unwrap();
}

#[test]
fn unknown_fields_are_refused_below_64_and_skipped_from_there() {
    let known = MapWriter::new().uint(64, 1u64).finish();
    Fields::parse(&known, 100).unwrap().finish().unwrap();
    let unknown = MapWriter::new().uint(63, 1u64).finish();
    assert_eq!(Fields::parse(&unknown, 100).unwrap().finish(), Err(CborError::Unknown { field: 63 }));
}

#[test]
fn a_document_is_as_deep_as_allowed_and_no_deeper() {
    // Arrays in an array, in a map, and as a key.
    let nested = |levels: usize| [vec![0x81; levels], vec![0]].concat();
    let maps = |levels: usize| [[0xa1, 0].repeat(levels), vec![0]].concat();
    let in_map = |levels: usize| [vec![0xa1, 0], nested(levels)].concat();
    let in_key = |levels: usize| [vec![0xa1], nested(levels), vec![0]].concat();
    for (deepest, deeper) in
        [(nested(8), nested(9)), (maps(8), maps(9)), (in_map(7), in_map(8)), (in_key(7), in_key(8))]
    {
        assert_eq!(check(&deepest), Ok(()), "{deepest:x?}");
        assert!(matches!(check(&deeper), Err(CborError::Depth { .. })), "{deeper:x?}");
    }
    assert_eq!(Fields::parse(&in_map(7), 100).map(|_| ()), Ok(()));
    assert_eq!(Fields::parse(&in_map(8), 100).err(), check(&in_map(8)).err());
    assert_eq!(Fields::parse(&in_key(8), 100).err(), check(&in_key(8)).err());
}

#[test]
fn a_map_has_the_shortest_head_for_any_number_of_fields() {
    for (count, head) in [(0, &[0xa0][..]), (1, &[0xa1]), (23, &[0xb7]), (24, &[0xb8, 24]), (300, &[0xb9, 1, 44])] {
        let map = (0..count).fold(MapWriter::new(), |map, field| map.uint(field, 0u8)).finish();
        assert_eq!(&map[..head.len()], head);
        assert_eq!(check(&map), Ok(()));
        let lengths = (0..count).map(|field| write::uint(field).len() + 1).sum::<usize>();
        assert_eq!(map.len(), head.len() + lengths);
    }
}

#[test]
fn fields_are_one_map_with_numbers_for_keys() {
    let fault = |bytes: &[u8]| Fields::parse(bytes, 100).err();
    assert_eq!(fault(&[0xa1, 1, 0]), None);
    assert_eq!(fault(&[0xa1, 1, 0, 0]), Some(CborError::Trailing { offset: 3 }));
    for other in [&[0xa1, 0x61, 0x61, 0][..], &[0xa2, 1, 0, 0x61, 0x61, 0], &[0x80], &[0]] {
        assert_eq!(fault(other), Some(CborError::Encoding { offset: 0 }), "{other:x?}");
    }
}

#[test]
fn a_text_or_a_name_is_as_long_as_allowed_and_no_longer() {
    let text = |length| read::text(&write::text(&"t".repeat(length))).is_some();
    assert_eq!([1024, 1025].map(text), [true, false]);
    let name = |length| {
        let map = write::text_map([("n".repeat(length).as_str(), vec![0])]);
        read::text_map(1, read::uint)(&map).is_some()
    };
    assert_eq!([256, 257].map(name), [true, false]);
}

#[test]
fn long_documents_are_refused_before_they_are_read() {
    assert_eq!(Fields::parse(&[0xa0], 0).err(), Some(CborError::TooLong { cap: 0 }));
    assert!(Fields::parse(&[0xa0], 1).is_ok());
}

#[test]
fn negative_numbers_are_written_as_the_standard_says() {
    assert_eq!(write::int(-1), [0x20]);
    assert_eq!(write::int(i64::MIN), [0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
}

#[test]
fn texts_and_names_with_control_characters_are_refused() {
    for good in ["", "Ein schöner Titel", "\u{200e}", "\u{a0}"] {
        assert_eq!(read::text(&write::text(good)).as_deref(), Some(good));
    }
    for bad in ["a\0b", "\u{1b}[2J", "a\nb", "\u{7f}", "a\u{85}b"] {
        assert_eq!(read::text(&write::text(bad)), None, "{bad:?}");
        let map = write::text_map([(bad, write::uint(1))]);
        assert!(read::text_map(2, read::uint)(&map).is_none(), "{bad:?}");
        let list = write::array([write::text("a"), write::text(bad)]);
        assert!(read::array(2, read::text)(&list).is_none(), "{bad:?}");
    }
}

#[test]
#[should_panic(expected = "ascending")]
fn fields_are_written_in_order() {
    MapWriter::new().uint(2, 0u64).uint(1, 0u64);
}

#[test]
fn fields_are_found_in_whatever_order_they_are_asked_for() {
    let bytes = [1, 4, 5, 9, 64].into_iter().fold(MapWriter::new(), |map, number| map.uint(number, number)).finish();
    let orders: [&[u64]; 4] =
        [&[1, 4, 5, 9], &[9, 5, 4, 1], &[0, 1, 2, 5, 4, 64, 63, 9, 1, 1], &[65, 9, 4, 6, 1, 5, 70]];
    for order in orders {
        let mut fields = Fields::parse(&bytes, 100).unwrap();
        for field in order {
            let expected = [1, 4, 5, 9, 64].contains(field).then_some(*field);
            assert_eq!(fields.optional(*field, read::uint).unwrap(), expected, "{field} of {order:?}");
        }
        fields.finish().unwrap();
    }
}

#[test]
fn a_tuple_has_as_many_items_as_it_must_have() {
    let numbers = |count: u32| write::array((0..count).map(|number| write::uint(number.into())));
    assert_eq!(read::tuple::<2>(&numbers(2)).map(|items| items.map(read::uint)), Some([Some(0), Some(1)]));
    assert_eq!((read::tuple::<2>(&numbers(1)), read::tuple::<2>(&numbers(3))), (None, None));
    assert_eq!((read::tuple::<0>(&numbers(0)), read::tuple::<2>(&write::uint(2))), (Some([]), None));
}
