// The one unit in which Boost.Beast's non-template code is compiled.
#include <boost/beast/src.hpp>
