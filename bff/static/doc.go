// Package static serves the single-page app itself: the files of a folder, or a development server on this machine.
//
// # Which file
//
// A path that names a file gets the file; one that ends in a slash gets the index.html of that folder. A navigation to any
// other path gets the app's own index.html, because such paths belong to the app's router. A navigation is what Sec-Fetch-Mode
// calls one or, from a browser without fetch metadata, what has text/html in Accept. A missing path that is called like an asset (its extension has a
// content type in types.go: /gone.js, but not /users/jane.doe) is ErrNotFound for navigations too: a page would only hide the loss.
//
// Nothing outside the folder is served, also not through a symbolic link, and nothing that has a name beginning
// with a dot in its path, but for /.well-known/. Folders are not listed. The folder is opened anew for each request, so that a build may replace it.
//
// # Caching
//
// What a build has named after its content may be kept for a year: assets/name-HASH.ext as Vite writes it, in a folder named assets at any
// depth, see hashed.go. All else is asked for again each time, and answered 304 by an ETag made of the content, so that all replicas
// agree. There is no Last-Modified, in which they might differ. Tags are remembered by size, time and identity of the file.
//
// A sibling NAME.br or NAME.gz is sent where the browser takes it, unless it is older than NAME. Range works on what is sent, coded
// or not (RFC 9110, section 14), whose ETag is its own. Nothing is compressed here.
//
// # Security
//
// Every answer carries the app's Content-Security-Policy, also scripts, because a worker's policy is that of its script.
// A client that reads slower than 32 KiB/s, after a first minute, loses the connection.
//
// # The development server
//
// It must be on this machine. It sees requests as its own: its name in Host, no cookie, no Authorization; and its answers
// lose what would speak for our origin. Its WebSocket, which can read sources, is for pages of Deps.Origin only.
package static
