//! Identities over the whole router and a real database: who may call what,
//! and what callers with bad manners get.

mod access;
mod app;
mod bad_requests;
mod keys;
mod limits;
mod pages;
mod sign_in;
mod users;
