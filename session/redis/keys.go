package redis

import "cloakroom/session"

// The key of each kind of thing; doc.go explains the layout.

func (s *Store) recordKey(id session.ID) string       { return s.prefix + ":s:{" + string(id) + "}" }
func (s *Store) endedKey(id session.ID) string        { return s.prefix + ":e:{" + string(id) + "}" }
func (s *Store) lockKey(id session.ID) string         { return s.prefix + ":l:{" + string(id) + "}" }
func (s *Store) indexKey(key session.IndexKey) string { return s.prefix + ":i:{" + string(key) + "}" }
func (s *Store) markKey(key session.IndexKey) string  { return s.prefix + ":m:{" + string(key) + "}" }
func (s *Store) claimKey(name string) string          { return s.prefix + ":c:{" + name + "}" }

// channel is where writes announce themselves.
func (s *Store) channel() string { return s.prefix + ":announce" }
