//! The C surface: one file per public header. Each function checks its pointers, calls drive, and turns the result
//! into the documented code. No rules live here.
