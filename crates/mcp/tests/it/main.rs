//! The client beside servers of the test: good ones, and such as one meets.

mod oauth;
mod real;
mod remote;
mod serve;
mod world;
