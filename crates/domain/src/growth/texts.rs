//! Many short texts, one behind the other.

/// Bytes of a block of texts.
const TEXT_BLOCK: usize = 1 << 16;

/// Texts that are kept for good, without a pointer and a piece of memory for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    /// Where the next text does not fit any more, a new block begins.
    blocks: Vec<String>,
}

/// Where a text stands. Packed, for there are millions of them and three bytes beside each would be empty.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)]
pub(crate) struct TextAt {
    begins: u32,
    len: u8,
}

impl Texts {
    /// Keeps a text.
    ///
    /// # Panics
    /// If it is longer than 255 bytes, or if there are four gigabytes of them: whoever uses this has limits far below.
    pub(crate) fn push(&mut self, text: &str) -> TextAt {
        let len = u8::try_from(text.len()).expect("texts kept here are short");
        match self.blocks.last() {
            Some(last) if last.len() + text.len() <= TEXT_BLOCK => {}
            Some(_) => self.blocks.push(String::with_capacity(TEXT_BLOCK)),
            // The first grows as it is needed.
            None => self.blocks.push(String::new()),
        }
        let before = (self.blocks.len() - 1) * TEXT_BLOCK;
        let block = self.blocks.last_mut().expect("there is one by now");
        let begins = u32::try_from(before + block.len()).expect("fewer than four gigabytes of texts are kept");
        block.push_str(text);
        TextAt { begins, len }
    }

    /// The text that stands there.
    pub(crate) fn get(&self, at: TextAt) -> &str {
        let (block, begins) = (at.begins as usize / TEXT_BLOCK, at.begins as usize % TEXT_BLOCK);
        let text = self.blocks.get(block).and_then(|block| block.get(begins..begins + usize::from(at.len)));
        text.expect("what tells where a text stands is only made when the text is kept")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were_across_blocks() {
        let mut texts = Texts::default();
        let text = |nth: usize| format!("{nth}-{}", "é".repeat(nth % 60));
        let kept: Vec<TextAt> = (0..5_000).map(|nth| texts.push(&text(nth))).collect();
        assert!(texts.blocks.len() > 3 && texts.blocks.iter().all(|block| block.len() <= TEXT_BLOCK));
        assert!(kept.iter().enumerate().all(|(nth, at)| texts.get(*at) == text(nth)));
    }
}
