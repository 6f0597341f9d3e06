// What becomes of the session, as the server tells it by GET /bff/events. It does not extend the session.

// sessionEvents calls state(who) at first and whenever it changes, expiring(seconds), ended(), and lost() when the stream was refused:
// signed out, or an outage.
export function sessionEvents({ state, expiring, ended, lost }) {
  let source;

  // A hidden tab has none: over HTTP/1.1 a browser opens six connections to an origin, for all of its tabs together.
  function open() {
    if (source || document.hidden) return;
    source = new EventSource('/bff/events');
    for (const name of ['state', 'changed']) source.addEventListener(name, (event) => state(JSON.parse(event.data)));
    source.addEventListener('expiring', (event) => expiring(JSON.parse(event.data).seconds));
    source.addEventListener('ended', () => { close(); ended(); });
    source.addEventListener('error', () => {
      if (source?.readyState !== EventSource.CLOSED) return; // cut off: the browser connects again by itself
      close();
      lost();
    });
  }

  function close() {
    source?.close();
    source = undefined;
  }

  return { open, close };
}
