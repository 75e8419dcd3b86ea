//! What holds for every two policies, what each clause is held to mean, and what people are told.

mod any;
mod laws;
mod request;
mod sample;
mod sentences;
mod whole;
mod zones;
