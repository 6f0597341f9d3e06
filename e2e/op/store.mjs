// The provider's memory. The package's own adapter forgets past 1000 entries, which would sign test users out at
// random; this one is bounded too, but says so when it is full.

const GRANTED = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);
const LIMIT = 200_000;

// createStore returns the adapter factory that oidc-provider asks for, and the sessions for the control endpoints.
export function createStore() {
  const entries = new Map(); // "Model:id" -> payload
  const uids = new Map(); // session uid -> session id
  const grants = new Map(); // grant id -> keys of its tokens

  const sweep = () => {
    for (const [key, { expires }] of entries) if (expires <= Date.now()) entries.delete(key);
  };

  const adapter = (model) => {
    const key = (id) => `${model}:${id}`;
    return {
      async upsert(id, payload, expiresIn) {
        if (entries.size >= LIMIT) sweep();
        if (entries.size >= LIMIT) throw new Error(`the provider's store is full (${LIMIT} entries)`);
        const expires = typeof expiresIn === 'number' ? Date.now() + expiresIn * 1000 : Infinity;
        entries.set(key(id), { payload, expires });
        if (model === 'Session') uids.set(payload.uid, id);
        if (GRANTED.has(model) && payload.grantId) {
          if (!grants.has(payload.grantId)) grants.set(payload.grantId, new Set());
          grants.get(payload.grantId).add(key(id));
        }
      },
      async find(id) {
        const entry = entries.get(key(id));
        if (entry && entry.expires > Date.now()) return entry.payload;
        entries.delete(key(id));
        return undefined;
      },
      async findByUid(uid) {
        return this.find(uids.get(uid));
      },
      async findByUserCode() {
        return undefined; // device codes are off
      },
      async consume(id) {
        entries.get(key(id)).payload.consumed = Math.floor(Date.now() / 1000);
      },
      async destroy(id) {
        entries.delete(key(id));
      },
      async revokeByGrantId(grantId) {
        for (const member of grants.get(grantId) ?? []) entries.delete(member);
        grants.delete(grantId);
      },
    };
  };

  const sessions = () => [...entries]
    .filter(([k, e]) => k.startsWith('Session:') && e.payload.accountId && e.expires > Date.now())
    .map(([k, e]) => ({ id: k.slice('Session:'.length), ...e.payload }));

  return { adapter, sessions };
}
