//! Transports: bytes to frames and back.
