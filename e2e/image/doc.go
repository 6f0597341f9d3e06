// Package image tests the container image: it starts it as production should, read-only, without capabilities and as
// nobody, and signs a user in. `make image-test` runs it, with the build tag image; `make test` does not, because it
// needs Docker.
package image
