// Package tutorial runs docs/tutorial.md, so that what it says is what happens. The page is read from top to bottom, and each thing on
// it is done as its reader would do it, in a real shell and a real browser:
//
//   - a block of sh is run in the folder in which the block before it ended; where the line above says "terminal" it is left running there;
//   - a block of text is what the commands above it print, or what one of the terminals does, soon. "…" stands for anything, alone on
//     a line for any lines;
//   - a block of diff is applied to the file that the line above names last;
//   - any other block is a file, by the name that the line above has last;
//   - a numbered list is done in the browser: <URL> is opened, **words** are clicked (a button, a link or a field), `words` are typed
//     into what was clicked last, and *words* must come to be seen.
//
// Only this is not as on the page: each port is another, free one, in files, commands and output alike; `make build` gives programs
// that look for data races; and npm installs the versions of package-lock.json, which is of the page's own app. To write that anew after
// the page names another version of create-vite, take the one that `npm install` makes.
package tutorial
