//! Vector registers after a key was computed with: the dynamic linker, a signal or the next call would save them to memory.

/// Clears the vector registers that a call does not have to keep. Those of other architectures stay as they are.
#[inline]
pub(crate) fn clear() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: each set of instructions is used only where the processor has it.
    unsafe {
        if is_x86_feature_detected!("avx512f") {
            clear_avx512();
        }
        if is_x86_feature_detected!("avx") {
            clear_avx();
        } else {
            clear_sse2();
        }
    }
    #[cfg(target_arch = "aarch64")]
    clear_neon();
}

/// Runs instructions that clear the named registers, which are declared overwritten.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! clearing {
    ([$($instruction:tt),*] $($register:tt)*) => {
        // SAFETY: nothing but the registers that are declared changes: no memory, no stack, no flag.
        unsafe { std::arch::asm!($($instruction),*, $(out($register) _,)* options(nomem, nostack, preserves_flags)) }
    };
}

/// The sixteen registers of AVX, also what AVX-512 adds to their width.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
fn clear_avx() {
    clearing!(["vzeroall"] "xmm0" "xmm1" "xmm2" "xmm3" "xmm4" "xmm5" "xmm6" "xmm7"
        "xmm8" "xmm9" "xmm10" "xmm11" "xmm12" "xmm13" "xmm14" "xmm15");
}

/// The sixteen registers that only AVX-512 has.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn clear_avx512() {
    clearing!(["vpxorq zmm16, zmm16, zmm16", "vpxorq zmm17, zmm17, zmm17", "vpxorq zmm18, zmm18, zmm18",
        "vpxorq zmm19, zmm19, zmm19", "vpxorq zmm20, zmm20, zmm20", "vpxorq zmm21, zmm21, zmm21",
        "vpxorq zmm22, zmm22, zmm22", "vpxorq zmm23, zmm23, zmm23", "vpxorq zmm24, zmm24, zmm24",
        "vpxorq zmm25, zmm25, zmm25", "vpxorq zmm26, zmm26, zmm26", "vpxorq zmm27, zmm27, zmm27",
        "vpxorq zmm28, zmm28, zmm28", "vpxorq zmm29, zmm29, zmm29", "vpxorq zmm30, zmm30, zmm30",
        "vpxorq zmm31, zmm31, zmm31"]
        "zmm16" "zmm17" "zmm18" "zmm19" "zmm20" "zmm21" "zmm22" "zmm23"
        "zmm24" "zmm25" "zmm26" "zmm27" "zmm28" "zmm29" "zmm30" "zmm31");
}

/// The registers of every processor of the architecture.
#[cfg(target_arch = "x86_64")]
fn clear_sse2() {
    clearing!(["pxor xmm0, xmm0", "pxor xmm1, xmm1", "pxor xmm2, xmm2", "pxor xmm3, xmm3", "pxor xmm4, xmm4",
        "pxor xmm5, xmm5", "pxor xmm6, xmm6", "pxor xmm7, xmm7", "pxor xmm8, xmm8", "pxor xmm9, xmm9",
        "pxor xmm10, xmm10", "pxor xmm11, xmm11", "pxor xmm12, xmm12", "pxor xmm13, xmm13", "pxor xmm14, xmm14",
        "pxor xmm15, xmm15"]
        "xmm0" "xmm1" "xmm2" "xmm3" "xmm4" "xmm5" "xmm6" "xmm7"
        "xmm8" "xmm9" "xmm10" "xmm11" "xmm12" "xmm13" "xmm14" "xmm15");
}

/// All but v8 to v15, whose lower halves a call keeps.
#[cfg(target_arch = "aarch64")]
fn clear_neon() {
    clearing!(["movi v0.2d, #0", "movi v1.2d, #0", "movi v2.2d, #0", "movi v3.2d, #0", "movi v4.2d, #0",
        "movi v5.2d, #0", "movi v6.2d, #0", "movi v7.2d, #0", "movi v16.2d, #0", "movi v17.2d, #0",
        "movi v18.2d, #0", "movi v19.2d, #0", "movi v20.2d, #0", "movi v21.2d, #0", "movi v22.2d, #0",
        "movi v23.2d, #0", "movi v24.2d, #0", "movi v25.2d, #0", "movi v26.2d, #0", "movi v27.2d, #0",
        "movi v28.2d, #0", "movi v29.2d, #0", "movi v30.2d, #0", "movi v31.2d, #0"]
        "v0" "v1" "v2" "v3" "v4" "v5" "v6" "v7" "v16" "v17" "v18" "v19" "v20" "v21" "v22" "v23"
        "v24" "v25" "v26" "v27" "v28" "v29" "v30" "v31");
}
