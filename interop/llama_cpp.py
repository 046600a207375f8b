"""llama.cpp as the package xllamacpp from PyPI has it, through its C interface: tokens, logits, adapters."""

import ctypes
from pathlib import Path

POINTER, INT = ctypes.c_void_p, ctypes.c_int32


class Parameters(ctypes.Structure):
    """Parameters of a model or a context; the room is more than either needs. Of a context's the first three are the
    context, the batch and the part of it that is computed at once; later come the types of keys and values."""

    _fields_ = [("words", INT * 256)]


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", INT), ("token", ctypes.POINTER(INT)), ("embd", POINTER), ("pos", POINTER),
                ("n_seq_id", POINTER), ("seq_id", POINTER), ("logits", ctypes.POINTER(ctypes.c_int8))]


def library():
    import xllamacpp

    lib = ctypes.CDLL(next(str(path) for path in Path(xllamacpp.__file__).parent.glob("xllamacpp*.so")))
    for name, result, arguments in [
        ("llama_backend_init", None, []),
        ("llama_log_set", None, [POINTER, POINTER]),
        ("llama_model_default_params", Parameters, []),
        ("llama_context_default_params", Parameters, []),
        ("llama_model_load_from_file", POINTER, [ctypes.c_char_p, Parameters]),
        ("llama_init_from_model", POINTER, [POINTER, Parameters]),
        ("llama_model_get_vocab", POINTER, [POINTER]),
        ("llama_model_n_ctx_train", INT, [POINTER]),
        ("llama_vocab_n_tokens", INT, [POINTER]),
        ("llama_vocab_get_add_bos", ctypes.c_bool, [POINTER]),
        ("llama_tokenize", INT, [POINTER, ctypes.c_char_p, INT, POINTER, INT, ctypes.c_bool, ctypes.c_bool]),
        ("llama_decode", INT, [POINTER, Batch]),
        ("llama_get_logits_ith", ctypes.POINTER(ctypes.c_float), [POINTER, INT]),
        ("llama_get_memory", POINTER, [POINTER]),
        ("llama_memory_clear", None, [POINTER, ctypes.c_bool]),
        ("llama_adapter_lora_init", POINTER, [POINTER, ctypes.c_char_p]),
        ("llama_set_adapters_lora", INT, [POINTER, POINTER, ctypes.c_size_t, POINTER]),
        ("llama_set_n_threads", None, [POINTER, INT, INT]),
        ("llama_free", None, [POINTER]),
        ("llama_model_free", None, [POINTER]),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    lib.quiet = ctypes.CFUNCTYPE(None, INT, ctypes.c_char_p, POINTER)(lambda level, text, data: None)
    lib.llama_log_set(lib.quiet, None)
    lib.llama_backend_init()
    return lib


class Llama:
    """A model and a context for it."""

    lib = None

    def __init__(self, path, n_ctx=1024, adapter=None):
        Llama.lib = Llama.lib or library()
        lib = self.lib
        self.model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
        assert self.model, f"llama.cpp does not open {path}"
        self.context_length = min(n_ctx, lib.llama_model_n_ctx_train(self.model))
        parameters = lib.llama_context_default_params()
        parameters.words[0] = parameters.words[1] = parameters.words[2] = n_ctx
        # By default both are f16, 1, and stand side by side behind a function and its data, which are null; 0 is f32.
        words = list(parameters.words)
        types = next(at for at in range(16, 64) if words[at : at + 2] == [1, 1] and not any(words[at - 4 : at]))
        parameters.words[types] = parameters.words[types + 1] = 0
        # Flash attention would round them to f16 even so. It is the last of four kinds that are -1, to be chosen by llama.cpp.
        kinds = next(at for at in range(4, types) if words[at : at + 4] == [-1] * 4)
        parameters.words[kinds + 3] = 0
        self.context = lib.llama_init_from_model(self.model, parameters)
        assert self.context, f"llama.cpp makes no context for {path}"
        # Its threads wait for each other busily, which takes long where others compute, too.
        lib.llama_set_n_threads(self.context, 1, 1)
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.vocab_size = lib.llama_vocab_n_tokens(self.vocab)
        if adapter:
            found = lib.llama_adapter_lora_init(self.model, str(adapter).encode())
            assert found, f"llama.cpp does not open {adapter}"
            adapters, scales = (POINTER * 1)(found), (ctypes.c_float * 1)(1.0)
            assert lib.llama_set_adapters_lora(self.context, adapters, 1, scales) == 0

    def tokenize(self, text):
        """Its tokens, with BOS where the file asks for it."""
        text = text.encode()
        room = len(text) + 8
        tokens = (INT * room)()
        bos = self.lib.llama_vocab_get_add_bos(self.vocab)
        count = self.lib.llama_tokenize(self.vocab, text, len(text), tokens, room, bos, False)
        return list(tokens[:count])

    def reset(self):
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)

    def eval(self, tokens):
        """The logits after each of some tokens, which follow those that went before."""
        import numpy

        count = len(tokens)
        ids, wanted = (INT * count)(*tokens), (ctypes.c_int8 * count)(*[1] * count)
        done = self.lib.llama_decode(self.context, Batch(count, ids, None, None, None, None, wanted))
        assert done == 0, done
        rows = [self.lib.llama_get_logits_ith(self.context, i)[: self.vocab_size] for i in range(count)]
        return numpy.asarray(rows, dtype=numpy.float64)

    def close(self):
        self.lib.llama_free(self.context)
        self.lib.llama_model_free(self.model)
