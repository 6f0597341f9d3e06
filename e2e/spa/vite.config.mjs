import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The assets stay files: the default policy of the server's pages allows no inline data.
export default defineConfig({ plugins: [react()], build: { assetsInlineLimit: 0, emptyOutDir: true }, clearScreen: false });
