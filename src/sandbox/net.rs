//! The sandbox's sockets: a listener whose connections can be torn down from inside a handler.
//!
//! A lost answer is the most important thing that the sandbox can do to a client, and plain HTTP handlers cannot do it: they
//! always answer. Must not know about requests or faults; it only closes what it is told to close.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A handler's grip on the connection its request came in on.
#[derive(Debug, Clone, Default)]
pub(super) struct Grip(Arc<AtomicBool>);

impl Grip {
    /// From now on nothing more is written: the peer sees a reset instead of an answer.
    pub(super) fn tear(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn torn(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// One accepted connection.
pub(super) struct Connection {
    stream: TcpStream,
    grip: Grip,
}

impl Connection {
    /// The error that a torn connection gives, so that the HTTP side drops it. Linger 0 turns the close into an RST.
    fn reset(&self) -> io::Error {
        // Where the option cannot be set the peer sees a plain close, which it must survive as well.
        let _ = self.stream.set_zero_linger();
        io::Error::new(io::ErrorKind::ConnectionReset, "torn by a fault")
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.grip.torn() {
            return Poll::Ready(Err(self.reset()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.grip.torn() {
            return Poll::Ready(Err(self.reset()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.grip.torn() {
            return Poll::Ready(Err(self.reset()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.grip.torn() {
            return Poll::Ready(Err(self.reset()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A TCP listener whose connections carry a [`Grip`].
pub(super) struct Tearable(pub(super) TcpListener);

impl Listener for Tearable {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((stream, peer)) => {
                    // Answers are small and whole: waiting to fill a packet would only add 40 ms to each.
                    let _ = stream.set_nodelay(true);
                    return (
                        Connection {
                            stream,
                            grip: Grip::default(),
                        },
                        peer,
                    );
                }
                // Out of file descriptors, or a peer that left in the queue: neither is a reason to stop listening.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Tearable>> for Grip {
    fn connect_info(stream: IncomingStream<'_, Tearable>) -> Self {
        stream.io().grip.clone()
    }
}
