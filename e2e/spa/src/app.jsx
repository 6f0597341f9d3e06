import { useEffect, useState } from 'react';
import { Greeting } from './greeting.jsx';

// App is what a frontend team would write: it asks who is signed in, calls its API by paths of its own origin, and knows no token.
export function App() {
  const [user, setUser] = useState(null);
  const [answer, setAnswer] = useState('');

  useEffect(() => {
    fetch('/bff/user').then((r) => r.json()).then(setUser);
  }, []);

  const call = async () => {
    const response = await fetch('/api/orders');
    if (response.status === 401) {
      setUser({ authenticated: false, login: '/bff/login' });
      return setAnswer('');
    }
    return setAnswer(JSON.stringify(await response.json(), null, 1));
  };

  const signOut = async () => {
    const response = await fetch('/bff/logout', { method: 'POST' });
    window.location.assign((await response.json()).location);
  };

  if (user === null) return <p>…</p>;
  if (!user.authenticated) {
    return (
      <main>
        <h1>Orders</h1>
        <p id="state">Nobody is signed in.</p>
        <a id="sign-in" href={`${user.login}?return_to=${encodeURIComponent('/orders#top')}`}>Sign in</a>
      </main>
    );
  }
  return (
    <main>
      <h1>Orders</h1>
      <Greeting name={user.claims.name} />
      <button id="call" type="button" onClick={call}>Call the API</button>
      <button id="sign-out" type="button" onClick={signOut}>Sign out</button>
      <pre id="answer">{answer}</pre>
    </main>
  );
}
