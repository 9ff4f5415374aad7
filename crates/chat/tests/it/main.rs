//! Chats on a real database with a scripted model.

mod agent;
mod compaction;
mod crash;
mod helpers;
mod queue;
mod tools;
mod turns;
mod viewers;
mod workspace;
mod world;
