//! What every scripted peer stands on: a listener on loopback, and a thread for each connection.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;

/// The listener. It ends with this value.
pub(crate) struct Listener {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Listener {
    /// A free port of loopback.
    pub(crate) const ANYWHERE: &str = "127.0.0.1:0";

    /// Starts it. `serve` gets each connection, with its number from 1.
    pub(crate) fn start(
        address: &str,
        serve: impl Fn(usize, TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Listener {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (stop, serve) = (Arc::<AtomicBool>::default(), Arc::new(serve));
        let stopped = stop.clone();
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let serve = serve.clone();
                // A client that goes away, or that can't do TLS with us, is what some tests are about.
                thread::spawn(move || stream.set_nodelay(true).and_then(|()| serve(index + 1, stream)));
            }
        });
        Listener { address, stop }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the thread that accepts; it may be gone already.
        drop(TcpStream::connect(self.address));
    }
}
