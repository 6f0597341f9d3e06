// Package static serves the single-page app itself: the files of a folder, or a development server on this machine.
//
// A path that names a file gets the file. A navigation to any other path gets index.html, because such paths belong to
// the app's own router; anything else, and any missing asset, is ErrNotFound. Nothing is served that lies outside the folder,
// also not through a symbolic link, nor anything whose name begins with a dot, but for /.well-known/.
//
// What a build has named after its content (Vite's assets/name-HASH.ext) may be kept for a year. All else is asked for
// again each time, and answered 304 by an ETag made of the content, so that all replicas agree. A sibling NAME.br or NAME.gz is sent
// where the browser takes it.
//
// Every answer carries the app's Content-Security-Policy.
package static
