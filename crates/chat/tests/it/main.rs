//! Chats on a real database with a scripted model.

mod compaction;
mod crash;
mod queue;
mod tools;
mod turns;
mod viewers;
mod world;
