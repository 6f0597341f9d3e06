import { createRoot } from 'react-dom/client';
import { App } from './app.jsx';
import './app.css';

createRoot(document.getElementById('root')).render(<App />);

// A page that the back button takes out of the browser's cache shows who was signed in then: ask again.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) window.location.reload();
});
