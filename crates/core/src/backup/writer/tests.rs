//! What is put into a section arrives block by block, padded, and covered by the footer as the format says.

use super::*;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::Version;
use wmlicense_wire::backup::page::PageBuilder;
use wmlicense_wire::id::BackupId;
use wmlicense_wire::policy::LicenseKind;

#[test]
fn every_length_is_padded_to_the_multiple() {
    assert_eq!(padding(0), None);
    assert_eq!(padding(PADDING), None);
    for gap in 1..=PADDING {
        let length = 3 * PADDING - gap;
        let padded = length + padding(length).map_or(0, |item| item.len() as u64 + 4);
        assert_eq!(padded % PADDING, 0, "gap {gap}");
        assert!(padded - length < 2 * PADDING);
    }
}

/// A section whose blocks nobody encrypts.
fn section() -> (SectionWriter<'static>, Receiver<Block>, Sender<Block>) {
    let (blocks, arriving) = mpsc::sync_channel(BLOCKS);
    let (emptied, empty) = mpsc::channel();
    let content = ContentKeys::of(&SecretKey::random().unwrap());
    let over = Box::new(move |block| blocks.send(block).map_err(|_| Ended));
    (SectionWriter::new(over, empty, content), arriving, emptied)
}

/// An item of this length, without the length in front.
fn item(length: usize) -> Item {
    let item = Item::StatusList(vec![7; length - 8]);
    let missing = length - item.encode().len();
    Item::StatusList(vec![7; length - 8 + missing])
}

#[test]
fn items_are_as_long_as_readers_accept_and_no_longer() {
    let (mut writer, arriving, _emptied) = section();
    assert_eq!(item(MAX_ITEM_LEN).encode().len(), MAX_ITEM_LEN);
    writer.put(&item(MAX_ITEM_LEN)).unwrap();
    assert_eq!(arriving.try_iter().map(|block| block.bytes.len()).sum::<usize>(), MAX_ITEM_LEN + 4);
    assert!(matches!(writer.put(&item(MAX_ITEM_LEN + 1)), Err(WriteError::TooLong)));
    // Licenses are held to the same.
    let key = InnerKey::new(LicenseKind::Content, vec![7; 16].into()).unwrap();
    let mut longest = 0;
    for policy in MAX_ITEM_LEN - 100.. {
        let license = License { policy: vec![1; policy], binding: Vec::new() };
        match writer.put_license(0, &license, &State::default(), &key) {
            Ok(()) => longest = arriving.try_iter().map(|block| block.bytes.len()).sum(),
            Err(error) => {
                assert!(matches!(error, WriteError::TooLong));
                break;
            }
        }
    }
    assert_eq!(longest, MAX_ITEM_LEN + 4);
}

#[test]
fn what_is_put_is_handed_over_block_by_block() {
    let (mut writer, arriving, emptied) = section();
    writer.put(&item(BLOCK - 4 - 100)).unwrap();
    assert!(arriving.try_recv().is_err(), "a block is not full");
    writer.put(&item(100 - 4)).unwrap();
    let first = arriving.try_recv().unwrap();
    assert_eq!((first.bytes.len(), writer.length), (BLOCK, BLOCK as u64));
    // A block comes back with what was in it, and takes what comes next alone.
    emptied.send(first).unwrap();
    let (next, last) = (item(BLOCK), item(50));
    writer.put(&next).unwrap();
    assert_eq!(arriving.try_recv().unwrap().bytes[4..], next.encode());
    writer.put(&last).unwrap();
    writer.pad().unwrap();
    let rest = arriving.try_recv().unwrap().bytes;
    assert_eq!(rest[4..54], last.encode());
    assert!(writer.length.is_multiple_of(PADDING) && rest.len() as u64 == writer.length - 2 * BLOCK as u64 - 4);
}

#[test]
fn the_footer_covers_of_a_page_all_but_its_licenses() {
    let (mut writer, arriving, _emptied) = section();
    let mut builder = PageBuilder::default();
    builder.push(3, b"license", &[1; 32]).unwrap();
    let page = builder.finish().unwrap();
    let (page, key) = (PageView::parse(&page).unwrap(), PageKey::random().unwrap());
    let before = item(50);
    writer.put(&before).unwrap();
    writer.put_page(&key, &page).unwrap();
    writer.put_page(&key, &page).unwrap();
    writer.put(&before).unwrap();
    assert_eq!((writer.counts().records, writer.pages, writer.records), (2, 2, 0));
    writer.drain().unwrap();
    let block = arriving.try_recv().unwrap();
    let footed: Vec<&[u8]> = block.footed().collect();
    assert_eq!(footed.iter().map(|part| part.len()).sum::<usize>(), block.bytes.len() - 14);
    assert_eq!(footed.len(), 3);
    assert!(footed[0].ends_with(page.front()) && footed[1].ends_with(page.front()));
    assert_eq!(footed[2][4..], before.encode());
}

#[test]
fn what_the_system_does_not_take_at_the_end_is_told() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (version, backup_id) = (Version::Pages, BackupId::random().unwrap());
    let header = Header { version, backup_id, sections: Vec::new() };
    let ended = BackupWriter::new(&full, header).unwrap().finish();
    assert!(matches!(ended, Err(WriteError::Io(error)) if error.kind() == io::ErrorKind::StorageFull));
}
