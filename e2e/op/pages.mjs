// The provider's sign-in page. A login_hint signs in at once, like a provider where the user is signed in already.

const page = (uid) => `<!doctype html><meta name="viewport" content="width=device-width"><title>Sign in at the provider</title>
<h1>Sign in at the provider</h1>
<form method="post" action="/interaction/${uid}">
<label>Name <input name="login" value="alice" autofocus></label>
<button name="do" value="login">Sign in</button>
<button name="do" value="cancel">Cancel</button>
</form>`;

// interaction answers /interaction/{uid}, GET and POST.
export async function interaction({ provider, settings }, req, res, form) {
  const { uid, params, prompt } = await provider.interactionDetails(req, res);
  const finish = (result) => provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
  if (prompt.name !== 'login') throw new Error(`nobody is there to answer the prompt ${prompt.name}`);
  if (req.method === 'POST' && form.get('do') === 'cancel') {
    return finish({ error: 'access_denied', error_description: 'the user said no' });
  }
  const login = req.method === 'POST' ? form.get('login') : params.login_hint;
  if (login) {
    const acr = settings.acr.ignored ? undefined : params.acr_values?.split(' ')[0];
    const ts = Math.floor(Date.now() / 1000) - (settings.acr.late ?? 0);
    return finish({ login: { accountId: login, acr, ts } });
  }
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  return res.end(page(uid));
}
