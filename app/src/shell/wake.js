((js, wasm) => {
	const waiting = [];
	const wake = async (node, mod) => {
		const tag = node.tagName.toLowerCase();
		if (tag === 'leptos-island') {
			waiting.at(-1)?.();
			await mod[node.dataset.component]?.(node);
		} else if (tag === 'leptos-children') {
			waiting.push(node.$$on_hydrate);
		}
		for (const child of [...node.children]) await wake(child, mod);
		if (tag === 'leptos-children') waiting.pop();
	};
	const start = async () => {
		const bytes = fetch(wasm);
		const mod = await import(js);
		await mod.default({ module_or_path: bytes });
		mod.hydrate();
		await wake(document.body, mod);
		document.documentElement.dataset.awake = '';
	};
	const idle = () => ('requestIdleCallback' in window ? requestIdleCallback(start, { timeout: 2000 }) : start());
	// Behind the first frame: what is fetched and compiled here must not hold it up.
	requestAnimationFrame(() => setTimeout(idle));
})
