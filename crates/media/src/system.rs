//! Protection systems: their UUIDs and names (DASH-IF register), and the UUID of this project's own.

use crate::text::kid_from_text;
use std::fmt;

/// A protection system. Shown as a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemId(pub [u8; 16]);

impl SystemId {
    /// This project's own system. Its boxes have version 1, list the key IDs, and carry in the data the URL where
    /// licenses are acquired as UTF-8, or nothing.
    pub const WMLICENSE: Self = Self::of(0x12a7_e563_e111_4055_b7d8_9571_52b8_d2fe);
    /// The common system of W3C Encrypted Media Extensions: key IDs only.
    pub const COMMON: Self = Self::of(0x1077_efec_c0b2_4d02_ace3_3c1e_52e2_fb4b);
    /// Microsoft PlayReady.
    pub const PLAYREADY: Self = Self::of(0x9a04_f079_9840_4286_ab92_e65b_e088_5f95);
    /// Google Widevine.
    pub const WIDEVINE: Self = Self::of(0xedef_8ba9_79d6_4ace_a3c8_27dc_d51d_21ed);
    /// Apple FairPlay.
    pub const FAIRPLAY: Self = Self::of(0x94ce_86fb_07ff_4f43_adb8_93d2_fa96_8ca2);
    /// Adobe Primetime, before that Flash Access.
    pub const PRIMETIME: Self = Self::of(0xf239_e769_efa3_4850_9c16_a903_c693_2efb);
    /// Windows Media DRM for Network Devices.
    pub const NETWORK_DEVICES: Self = Self::of(0x7a07_9bb6_daa4_4e12_a5ca_91d3_8dc1_1a8d);

    const fn of(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// Reads a UUID in text, of either case, with or without braces around or `urn:uuid:` in front.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        // A UUID is written as a key ID is: the same 16 bytes in the same order.
        kid_from_text(text).map(|id| Self(*id.as_bytes()))
    }

    /// The name for people, if the system is in the register.
    pub fn name(&self) -> Option<&'static str> {
        NAMES.iter().find(|(id, _)| id == self).map(|(_, name)| *name)
    }
}

impl fmt::Display for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let hyphen = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{hyphen}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const NAMES: &[(SystemId, &str)] = &[
    (SystemId::WMLICENSE, "wmlicense"),
    (SystemId::COMMON, "W3C common"),
    (SystemId::PLAYREADY, "PlayReady"),
    (SystemId::WIDEVINE, "Widevine"),
    (SystemId::FAIRPLAY, "FairPlay"),
    (SystemId::NETWORK_DEVICES, "Windows Media DRM for Network Devices"),
    (SystemId::of(0xe271_9d58_a985_b3c9_781a_b030_af78_d30e), "Clear Key"),
    (SystemId::of(0x3ea8_778f_7742_4bf9_b18b_e834_b2ac_bd47), "Clear Key AES-128"),
    (SystemId::of(0xbe58_615b_19c4_4684_88b3_c8c5_7e99_e957), "Clear Key SAMPLE-AES"),
    (SystemId::of(0x2970_1fe4_3cc7_4a34_8c5b_ae90_c743_9a47), "FairPlay (not registered)"),
    (SystemId::of(0x6dd8_b3c3_45f4_4a68_bf3a_6416_8d01_a4a6), "ABV"),
    (SystemId::PRIMETIME, "Adobe Primetime"),
    (SystemId::of(0x616c_7469_6361_7374_2d50_726f_7465_6374), "Alticast"),
    (SystemId::of(0x279f_e473_512c_48fe_ade8_d176_fee6_b40f), "Arris Titanium"),
    (SystemId::of(0x3d5e_6d35_9b9a_41e8_b843_dd3c_6e72_c42c), "ChinaDRM"),
    (SystemId::of(0x644f_e7b5_260f_4fad_949a_0762_ffb0_54b4), "CMLA (OMA DRM)"),
    (SystemId::of(0x37c3_3258_7b99_4c7e_b15d_19af_7448_2154), "CommScope Titanium V3"),
    (SystemId::of(0x45d4_81cb_8fe0_49c0_ada9_ab2d_2455_b2f2), "CoreCrypt"),
    (SystemId::of(0xdcf4_e3e3_62f1_5818_7ba6_0a6f_e33f_f3dd), "DigiCAP"),
    (SystemId::of(0x35bf_197b_530e_42d7_8b65_1b4b_f415_070f), "DivX 5"),
    (SystemId::of(0x80a6_be7e_1448_4c37_9e70_d5ae_be04_c8d2), "Irdeto"),
    (SystemId::of(0x5e62_9af5_38da_4063_8977_97ff_bd99_02d4), "Marlin"),
    (SystemId::of(0x6a99_532d_869f_5922_9a91_113a_b7b1_e2f3), "MobiTV"),
    (SystemId::of(0xadb4_1c24_2dbf_4a6d_958b_4457_c0d2_7b95), "Nagra"),
    (SystemId::of(0x1f83_e1e8_6ee9_4f0d_ba2f_5ec4_e3ed_1a66), "SecureMedia"),
    (SystemId::of(0x992c_46e6_c437_4899_b6a0_50fa_91ad_0e39), "SteelKnot"),
    (SystemId::of(0xa681_29d3_575b_4f1a_9cba_3223_846c_f7c3), "VideoGuard"),
    (SystemId::of(0xaa11_967f_cc01_4a4a_8e99_c5d3_dddf_ea2d), "UDRM"),
    (SystemId::of(0x9a27_dd82_fde2_4725_8cbc_4234_aa06_ec09), "Verimatrix"),
    (SystemId::of(0xb441_3586_c58c_ffb0_94a5_d489_6c1a_f6c3), "Viaccess-Orca"),
    (SystemId::of(0x793b_7956_9f94_4946_a942_23e7_ef7e_44b4), "VisionCrypt"),
];
