"""Purpose: Swift's `swift.cache` inside one process, in the place of a memcached (openstack.py)."""

import copy
import time


class LocalCache:
    def __init__(self):
        self._held = {}  # key: (value, until), until 0 for ever

    def get(self, key, raise_on_error=False, **_):
        value, until = self._held.get(key, (None, 0))
        if until and until < time.time():
            del self._held[key]
            return None
        return copy.deepcopy(value)

    def set(self, key, value, serialize=True, raise_on_error=False, **more):
        lasts_s = more.get("time", 0)
        self._held[key] = (copy.deepcopy(value), lasts_s and time.time() + lasts_s)

    def incr(self, key, delta=1, **more):
        value = max(0, int(self.get(key) or 0) + int(delta))
        self.set(key, value, **more)
        return value

    def decr(self, key, delta=1, **more):
        return self.incr(key, -int(delta), **more)

    def delete(self, key, **_):
        self._held.pop(key, None)

    def set_multi(self, mapping, server_key, **more):
        for key, value in mapping.items():
            self.set(key, value, **more)

    def get_multi(self, keys, server_key, **_):
        return [self.get(key) for key in keys]


def filter_factory(_global_conf, **_conf):
    cache = LocalCache()

    def wrap(app):
        def answer(environ, start_response):
            environ["swift.cache"] = cache
            return app(environ, start_response)
        return answer
    return wrap
