//! `lite-list.h`: the doubly linked list of the C helpers.

/// A node of a circular doubly linked list, or its head.
#[repr(C)]
pub struct list_head_t {
    /// Next node; the head after the last one.
    pub next: *mut list_head_t,
    /// Previous node; the head before the first one.
    pub prev: *mut list_head_t,
}
