# Cloakroom's image: one static binary without a shell around it, as nobody, on a root that may be read-only.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=$VERSION" -o /cloakroom ./cmd/cloakroom

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /cloakroom /cloakroom
USER 65532:65532
EXPOSE 8080
# The binary asks its own admin listener, whose address it reads from the configuration.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/cloakroom", "healthcheck", "--config", "/etc/cloakroom/cloakroom.yaml"]
ENTRYPOINT ["/cloakroom"]
CMD ["serve", "--config", "/etc/cloakroom/cloakroom.yaml"]
